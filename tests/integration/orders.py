#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""What the hub tells scanners to do: how and when they scan, the schedule's
changes, scans that somebody orders, and pauses.  A peer plays the scanner.
Prints TAP."""

import sys
import time

import harness
from harness import case, comment, equal, packed, until

PUSH_S = 10  # within which a change must have reached the scanners


def heard(peer, since, patience=PUSH_S + 5):
    """Wait for the next revision; the seconds since 'since'."""
    peer.patience = patience
    revision = peer.wait('revision')['rev']
    seconds = time.monotonic() - since
    assert seconds < PUSH_S, f'pushed after {seconds:.1f} s'
    return revision, seconds


def drain(peer):
    """Take what has come without being asked for."""
    while peer.socket.poll(0):
        peer.socket.recv()


def row(peer, subnet=10):
    rows = [one for one in peer.assignments() if one['id'] == subnet]
    return rows[0] if rows else None


# --- settings and their way to the scanners -----------------------------------

@case('settings come with the assignments, the narrower one wins')
def settings(stage):
    stage.subnet(11, '10.1.0.0/24')
    stage.subnet(12, '2001:db8::/64', discoverSubnet=0)
    equal({key: value for key, value in row(stage.peer()).items()
           if key in ('check_s', 'discover_s', 'rate', 'skip', 'quiet')},
          {'check_s': 300, 'discover_s': 3600}, 'without a word')
    stage.hub.policy('''\
scan:
  check: 60
  rate: 2000
  exclude: [10.0.0.1-10.0.0.9, 10.0.0.255-10.1.0.3, 2001:db8::/120]
  quiet: ['22:00-06:00']
  agents:
    site-a: {discover: 7200}
    site-b: {discover: 10}
  prefixes:
    10.1.0.0/16: {check: never, quiet: []}
  subnets:
    10: {rate: 5, exclude: 10.0.0.10}''')
    peer = stage.peer()
    equal(row(peer, 10), {
        'id': 10, 'cidr': '10.0.0.0/24', 'discover': True, 'check': True,
        'resolve': False, 'pool': False, 'ns': [], 'check_s': 60,
        'discover_s': 7200, 'rate': 5,
        'skip': [{'first': packed('10.0.0.1'), 'last': packed('10.0.0.10')},
                 {'first': packed('10.0.0.255'),
                  'last': packed('10.0.0.255')}],
        'quiet': [{'from': 1320, 'to': 360}]})
    other = row(peer, 11)
    assert not other['check'] and 'check_s' not in other, other
    equal((other['discover_s'], other['rate'], other.get('quiet')),
          (7200, 2000, None))
    six = row(peer, 12)
    equal((six['ipv6'], six['check_s'], six.get('discover_s')),
          ('stable', 60, None))
    equal(six['skip'], [{'first': packed('2001:db8::'),
                         'last': packed('2001:db8::ff')}])


@case('a change in phpIPAM\'s tables is pushed within 10 s', patience=240)
def pushed_tables(stage):
    peer, slowest = stage.peer(), 0
    until(lambda: row(peer), 'the subnet is assigned')
    time.sleep(0.2)
    drain(peer)
    changes = [
        ('discovery off', lambda: stage.update('subnets', 10,
                                               discoverSubnet=0)),
        ('another mask', lambda: stage.update('subnets', 10, mask='25')),
        ('a new subnet', lambda: stage.subnet(11, '10.1.0.0/24')),
        ('to another agent', lambda: stage.update('subnets', 11,
                                                  scanAgent=3)),
        ('back', lambda: stage.update('subnets', 11, scanAgent=2)),
        ('a child', lambda: stage.subnet(12, '10.1.0.0/25', scanAgent=0,
                                         masterSubnetId=11)),
        ('name servers', lambda: (
            stage.insert('nameservers', id=1, name='n', namesrv1='10.0.0.53'),
            stage.update('subnets', 10, nameserverId=1))),
        ('deleted', lambda: stage.sql.rows('DELETE FROM subnets WHERE id = '
                                           '10')),
    ]
    told = peer.welcome['rev']
    for what, change in changes:
        # At an odd moment of the hub's own beat.
        time.sleep(0.37)
        change()
        revision, seconds = heard(peer, time.monotonic())
        comment(f'{what}: {seconds:.2f} s')
        assert revision != told, what
        told, slowest = revision, max(slowest, seconds)
    comment(f'slowest of {len(changes)}: {slowest:.2f} s')
    equal(peer.assignments(), [])


@case('a change of the hub\'s file is pushed at its reload')
def pushed_file(stage):
    peer = stage.peer()
    row(peer)
    time.sleep(0.2)
    drain(peer)
    for text in ('scan: {check: 61}', 'scan: {check: 62, exclude: 10.0.0.1}',
                 'scan: {check: 62, exclude: 10.0.0.2}', 'scan: {rate: 7}'):
        begun = time.monotonic()
        stage.hub.policy(text)
        _, seconds = heard(peer, begun)
        comment(f'{text}: {seconds:.2f} s')
        assert seconds < 2, seconds
    equal(row(peer)['rate'], 7)
    # What concerns others is not told.
    stage.hub.policy('scan: {rate: 7, agents: {site-b: {rate: 8}}}')
    time.sleep(1)
    assert not peer.socket.poll(0), 'a revision without a change'
    # A bad file changes nothing.
    stage.hub.config['policy'] = 'scan: {check: soon}'
    stage.hub.write_config()
    done = stage.hub.ctl('reload', check=False)
    assert done.returncode and "'check' must be seconds" in done.stderr, done
    stage.hub.config['policy'] = ''


@case('a change of the file is pushed while the database is away')
def pushed_without_database(stage):
    peer = stage.peer()
    row(peer)
    time.sleep(0.2)
    drain(peer)
    stage.database.stop()
    try:
        stage.hub.policy('scan: {check: 77}')
        heard(peer, time.monotonic())
        equal(row(peer)['check_s'], 77)
    finally:
        stage.database.start()
        stage.hub.ready()


@case('4,000 subnets with settings of their own come whole, page by page',
      patience=240)
def long_pages(stage):
    values = ', '.join(f"({100 + i}, '{0x14000000 + 256 * i}', '24', 1, 2, 1, "
                       '1)' for i in range(4000))
    stage.sql.rows('INSERT INTO subnets (id, subnet, mask, sectionId, '
                   f'scanAgent, pingSubnet, discoverSubnet) VALUES {values}')
    lines = '\n'.join(
        f'    {100 + i}: {{exclude: 20.{i // 256}.{i % 256}.0/24}}'
        for i in range(2000))
    ranges = ', '.join(f'20.0.0.{2 * at}' for at in range(70))
    stage.hub.policy(f'scan:\n  exclude: [{ranges}]\n  subnets:\n{lines}')
    peer = stage.peer()
    until(lambda: len(peer.assignments()) == 4001, 'all are assigned')
    rows = {one['id']: one for one in peer.assignments()}
    equal(len(rows), 4001)
    equal(rows[101]['skip'], [{'first': packed('20.0.1.0'),
                               'last': packed('20.0.1.255')}])
    assert 'skip' not in rows[4099]


if __name__ == '__main__':
    sys.exit(harness.main())

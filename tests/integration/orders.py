#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""What the hub tells scanners to do: how and when they scan, the schedule's
changes, scans that somebody orders, and pauses.  A peer plays the scanner.
Prints TAP."""

import os
import re
import signal
import socket
import subprocess
import sys
import time

import msgpack

import harness
from harness import (CODE_B, SCANHUBCTL, SOURCE, case, comment, equal, packed,
                     until)
from peer import now_ms
from service import Scanner

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


@case('a change in phpIPAM\'s tables is pushed within 10 s', patience=240,
      long=True)
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


@case('settings of whom phpIPAM does not have are warned about, once',
      long=True)
def strangers(stage):
    fresh(stage)
    mark = stage.hub.log_mark()
    agent = "scan: agents: 'quickstrat' is no scan agent in phpIPAM"

    def lines():
        return [line for line in stage.hub.log_from(mark).splitlines()
                if 'concern nobody' in line]
    stage.hub.config['policy'] = ('scan: {agents: {quickstrat: {rate: 5}, '
                                  'site-a: {rate: 5}}, '
                                  'subnets: {10: {rate: 5}, 99: {rate: 5}}}')
    stage.hub.write_config()
    out = ' '.join(stage.hub.ctl('reload').stdout.split())
    assert f'warning: {agent}; scan: subnets: 99 is no' in out, out
    assert 'site-a' not in out and ' 10 ' not in out, out
    assert len(lines()) == 1 and ' warning ' in lines()[0], lines()
    assert agent in lines()[0], lines()
    time.sleep(6)  # a look at the tables
    equal(len(lines()), 1)
    stage.subnet(99, '10.99.0.0/24')
    until(lambda: len(lines()) == 2, 'what has changed is said')
    assert '99' not in lines()[1].split('because=')[1], lines()
    stage.hub.ctl('reload')
    equal(len(lines()), 3)
    stage.hub.config['policy'] = ''
    stage.hub.write_config()
    assert 'warning' not in stage.hub.ctl('reload').stdout
    equal(len(lines()), 3)


@case('a change of the file is pushed while the database is away',
      long=True)
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


# --- why something is not scanned --------------------------------------------

def listed(stage, *words):
    """What 'subnets' says, by id: the state, and why."""
    text = stage.hub.ctl('subnets', *words).stdout
    assert max(map(len, text.splitlines())) <= 80, text
    rows, ident = {}, None
    for line in text.splitlines()[1:]:
        if match := re.match(r' *(\d+)  .*  (scanned|not scanned|paused)$',
                             line):
            ident = int(match[1])
            rows[ident] = [match[2], '']
        elif line.startswith('        '):
            rows[ident][1] += ' ' + line.strip()
    return {key: (state, why.strip()) for key, (state, why) in rows.items()}


def fresh(stage):
    """The hub looks at the tables before it answers this."""
    return stage.peer().assignments()


@case('subnets: each that is not scanned says why')
def why_not(stage):
    stage.agent(4, 'direct one', 'Direct00000000000000000000000000',
                type='direct')
    stage.insert('scanAgents', id=5, name='no code', type='mysql')
    stage.subnet(11, '10.1.0.0/24', isFolder=1)
    stage.subnet(12, '10.2.0.0/16')
    stage.subnet(13, '10.2.0.0/24', masterSubnetId=12)
    stage.subnet(14, '10.2.1.0/24', masterSubnetId=12)
    stage.subnet(15, '10.3.0.0/24', mask='')
    stage.subnet(16, '10.4.0.0/24', pingSubnet=0, discoverSubnet=0)
    stage.subnet(17, '10.5.0.0/24', scanAgent=99)
    stage.subnet(18, '10.6.0.0/24', scanAgent=5)
    stage.subnet(19, '10.7.0.0/24', scanAgent=4)
    stage.subnet(20, '10.8.0.0/24', scanAgent=0)
    stage.subnet(21, '10.9.0.0/24')
    stage.hub.policy("scan: {subnets: {21: {check: never, discover: never}}}")
    fresh(stage)
    rows = listed(stage)
    for ident, says in ((11, 'a folder'), (12, 'has child subnets'),
                        (15, 'no usable network'), (16, 'neither host check'),
                        (17, 'no longer in phpIPAM'), (18, 'has no code'),
                        (21, 'scanhub.yaml says never')):
        state, why = rows[ident]
        assert state == 'not scanned' and says in why, (ident, why)
    for ident in (10, 13, 14):
        equal(rows[ident], ('scanned', ''))
    # Those are phpIPAM's own, and that has no agent at all.
    assert 19 not in rows and 20 not in rows, rows
    everything = listed(stage, '--all')
    assert 'not of type mysql or api' in everything[19][1]
    assert 20 not in everything
    equal(sorted(listed(stage, '--agent', 'direct one')), [19])
    done = stage.hub.ctl('subnets', '--agent', 'nobody', check=False)
    assert done.returncode == 1 and 'no subnet' in done.stderr, done
    # And none of them is on a list.
    equal([one['id'] for one in stage.peer().assignments()], [10, 13, 14])


@case('subnets: one in full, by id or network')
def one_in_full(stage):
    stage.subnet(12, '2001:db8::/64')
    stage.subnet(13, '10.1.0.0/24', scanAgent=3)
    stage.subnet(14, '10.1.0.0/24', scanAgent=3)
    stage.hub.policy("""\
scan:
  check: 60
  exclude: [10.0.0.1-10.0.0.3, 10.0.0.9]
  quiet: ['00:00-24:00']""")
    fresh(stage)
    stage.peer()
    text = stage.hub.ctl('subnets', '10.0.0.0/24').stdout
    for line in ('subnet: 10', 'network: 10.0.0.0/24', 'agent: site-a',
                 'scanned: yes', 'paused: no', 'check: every 60 s',
                 'discovery: every 3600 s', 'rate: the site\'s own',
                 'excluded: 10.0.0.1-10.0.0.3, 10.0.0.9'):
        assert line in text.splitlines(), (line, text)
    assert 'quiet hours: all day; so now' in text, text
    assert 'scanner: site-a, connected, takes no orders' in text, text
    equal(stage.hub.ctl('subnets', '10').stdout, text)
    text = stage.hub.ctl('subnets', '12', '13').stdout
    assert 'IPv6: too large to be swept' in text, text
    assert 'scanner: site-b, not connected' in text, text
    for word, says in (('99', 'no subnet 99'), ('10.9.0.0/24', 'no subnet'),
                       ('10.1.0.0/24', 'by its id: 13 14'),
                       ('lan', 'named by its id')):
        done = stage.hub.ctl('subnets', word, check=False)
        assert done.returncode == 1 and says in done.stderr, done


@case('subnets: 4,000 of them', patience=240)
def many_listed(stage):
    values = ', '.join(f"({100 + i}, '{0x14000000 + 256 * i}', '24', 1, 2, "
                       f'{i % 2}, 0)' for i in range(4000))
    stage.sql.rows('INSERT INTO subnets (id, subnet, mask, sectionId, '
                   f'scanAgent, pingSubnet, discoverSubnet) VALUES {values}')
    fresh(stage)
    rows = listed(stage)
    equal(sorted(rows), [10, *range(100, 4100)])
    equal(rows[4098][0], 'not scanned')
    equal(rows[4099], ('scanned', ''))


@case('a split is said aloud, once',
      long=True)
def split(stage):
    stage.subnet(30, '10.30.0.0/24')
    fresh(stage)
    mark = stage.hub.log_mark()

    def lines():
        return [line for line in stage.hub.log_from(mark).splitlines()
                if 'is not scanned any more' in line and 'subnet=30' in line]
    # As phpIPAM's own split leaves them.
    for ident, cidr in ((31, '10.30.0.0/25'), (32, '10.30.0.128/25')):
        stage.subnet(ident, cidr, masterSubnetId=30, scanAgent=None,
                     pingSubnet=0, discoverSubnet=0)
    until(lines, 'the split is in the log')
    assert ' warning ' in lines()[0] and '2 of its 2' in lines()[0], lines()
    rows = listed(stage)
    equal(rows[30][0], 'not scanned')
    assert '2 of its 2 child subnets have no scan agent' in rows[30][1], rows
    assert 'does not inherit' in rows[31][1], rows
    status = stage.hub.ctl('status').stdout
    assert 'subnet 30, 10.30.0.0/24, IS NOT SCANNED' in status, status
    time.sleep(11)  # two more looks
    equal(len(lines()), 1, 'lines about it')
    stage.update('subnets', 31, scanAgent=2, pingSubnet=1)
    until(lambda: len(lines()) == 2, 'the change is in the log')
    assert '1 of its 2' in lines()[1], lines()
    stage.update('subnets', 32, scanAgent=2, pingSubnet=1)
    until(lambda: 'IS NOT SCANNED' not in stage.hub.ctl('status').stdout,
          'it is over')
    equal([one['id'] for one in stage.peer().assignments()], [10, 31, 32])
    equal(len(lines()), 2)


# --- orders -------------------------------------------------------------------

def scanner(stage, name='site-a'):
    """A peer that takes orders; it knows its assignments."""
    peer = stage.hub.peer(name, orders=True)
    stage.peers[name, len(stage.peers)] = peer
    peer.assignments()
    return peer


class Ctl:
    """A scanhubctl that runs."""

    def __init__(self, stage, *words):
        self.process = subprocess.Popen(
            [str(SCANHUBCTL), '--config', str(stage.hub.path), *words],
            text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, preexec_fn=harness.die_with_us)

    def end(self, status, says=''):
        out, error = self.process.communicate(timeout=40)
        text = f'{self.process.returncode}: {out}{error}'
        assert self.process.returncode == status, text
        assert says in text, text
        return out

    def close(self):
        harness.end(self.process)


def ctl(stage, *words):
    process = Ctl(stage, *words)
    stage.extra.append(process)
    return process


def refused(stage, *words, says, status=1):
    done = stage.hub.ctl('scan', *words, check=False)
    assert done.returncode == status and says in done.stderr, done
    return done


def say(peer, order, state, **more):
    peer.send({'v': 1, 't': 'progress', 'id': order['id'], 'state': state,
               **more})


def orders(stage):
    """What 'orders' says, latest first."""
    text = stage.hub.ctl('orders').stdout
    return re.split(r'\n(?=s\w{8} )', text)


def state(stage, name=''):
    """Of the latest order, or of one."""
    return next(one for one in orders(stage) if one.startswith(name))


def under_way(stage, peer=None, subnet='10', **more):
    """A scan that was ordered, is watched and probes: the scanner, scanhubctl
    and the order."""
    peer = peer or scanner(stage)
    watch = ctl(stage, 'scan', subnet, '--watch')
    order = peer.wait('scan')
    say(peer, order, 'probing', done=1, total=254, **more)
    until(lambda: f'subnet {subnet},' in state(stage) and
          'probing' in state(stage), 'the progress')
    return peer, watch, order


@case('scan: taken, watched, done')
def watched(stage):
    peer = scanner(stage)
    watch = ctl(stage, 'scan', '10.0.0.0/24', '--watch')
    order = peer.wait('scan')
    equal((order['subnet'], order['kind'], len(order['id'])), (10, 'both', 16))
    say(peer, order, 'waiting')
    say(peer, order, 'probing', done=64, total=254, up=3, rate=900)
    until(lambda: ' 25 % of 254, 3 up, 900/s' in state(stage), 'the progress')
    say(peer, order, 'reporting', done=254, total=254, up=7)
    say(peer, order, 'done', done=254, total=254, up=7, complete=True, seen=5,
        added=2)
    out = watch.end(0, 'done: 7 of 254 addresses answered')
    assert '5 confirmed, 2 added, 0 refused' in out, out
    assert 'site-a' in state(stage) and 'done: 7' in state(stage)
    # What comes after the end counts no more.
    say(peer, order, 'failed', cause='probe')
    time.sleep(0.3)
    assert 'done: 7' in state(stage)


@case('scan: without --watch it returns when the scanner has answered')
def confirmed(stage):
    peer = scanner(stage)
    asked = ctl(stage, 'scan', '10', '--kind', 'check')
    order = peer.wait('scan')
    equal(order['kind'], 'check')
    time.sleep(0.5)
    assert asked.process.poll() is None, 'it did not wait for the scanner'
    say(peer, order, 'waiting')
    name = re.search(r'order (s\w{8}): site-a has taken it: waiting',
                     asked.end(0))[1]
    refused(stage, '10', says=f'is being scanned already: order {name}')
    say(peer, order, 'failed', cause='scan-running')
    until(lambda: 'failed: scan-running' in state(stage), 'the failure')
    # Nothing is in the way of another.
    again = ctl(stage, 'scan', '10')
    order = peer.wait('scan')
    say(peer, order, 'failed', cause='scan-running', text='busy with it\x1b[m')
    again.end(1, 'failed: busy with it')
    assert '\x1b' not in again.process.args


@case('scan: cancelled by order and by subnet')
def cancelled(stage):
    peer, watch, order = under_way(stage)
    equal(stage.hub.ctl('scan', '--cancel', '10.0.0.0/24').stdout[-5:],
          'told\n')
    equal(peer.wait('cancel')['id'], order['id'])
    until(lambda: 'to be cancelled' in state(stage), 'it is being cancelled')
    say(peer, order, 'cancelled', cause='cancelled')
    watch.end(1, 'cancelled')
    refused(stage, '--cancel', '10', says='no ordered scan of that is open')
    name = state(stage).split()[0]
    refused(stage, '--cancel', name, says='is over already: cancelled')
    refused(stage, '--cancel', 'snothing1', says='no ordered scan')


@case('scan: Ctrl-C ends the watching, not the scan')
def interrupted(stage):
    peer, watch, order = under_way(stage)
    watch.process.send_signal(signal.SIGINT)
    out = watch.end(75, 'the scan goes on')
    name = state(stage).split()[0]
    assert f'scanhubctl scan --cancel {name}' in out, out
    time.sleep(0.3)
    drained = []
    while peer.socket.poll(0):
        drained.append(msgpack.unpackb(peer.socket.recv())['t'])
    assert 'cancel' not in drained, drained
    say(peer, order, 'done', done=254, total=254, up=0, complete=True)
    until(lambda: 'done: 0 of 254' in state(stage, name), 'its end')


@case('scan: what forbids it is said at once')
def forbidden(stage):
    stage.hub.scanner('site-b2', CODE_B)
    stage.agent(4, 'keyless', 'Keyless0000000000000000000000000')
    stage.subnet(11, '10.1.0.0/24', scanAgent=3)
    stage.subnet(12, '10.2.0.0/24', isFolder=1)
    stage.subnet(13, '10.3.0.0/24', scanAgent=4)
    stage.subnet(14, '10.4.0.0/24', pingSubnet=0)
    stage.hub.policy('scan: {subnets: {10: {discover: never}}}')
    fresh(stage)
    begun = time.monotonic()
    refused(stage, '99', says='no subnet 99')
    refused(stage, '10.99.0.0/24', says='no subnet')
    refused(stage, '12', says='it is a folder')
    refused(stage, '13', says="code of scan agent 'keyless'")
    refused(stage, '14', '--kind', 'check', says='has no host check')
    refused(stage, '10', '--kind', 'discover', says='has no discovery')
    refused(stage, '10', '--kind', 'all', says='discover, check or both',
            status=64)
    refused(stage, '11', says='not connected, and has not been since')
    # The scanner of before orders is told from one that is away.
    old = stage.hub.peer('site-b')
    refused(stage, '11', says='site-b takes no orders: it is older than 0.2')
    other = scanner(stage, 'site-b2')
    done = ctl(stage, 'scan', '11')
    say(other, other.wait('scan'), 'failed', cause='subnet-not-assigned',
        text='not one of mine')
    done.end(1, 'failed: not one of mine')
    other.socket.close()
    old.send({'v': 1, 't': 'beat', 'now': now_ms()})
    equal(old.wait('beat')['t'], 'beat')
    assert not old.socket.poll(200), 'the old scanner was told something'
    old.socket.close()
    peer = scanner(stage)
    peer.socket.close()
    time.sleep(0.5)
    refused(stage, '10', says='last heard')
    equal(time.monotonic() - begun < 30, True)
    stage.hub.revoke('site-b2')


@case('scan: nobody but who has the order speaks about it')
def impostors(stage):
    stage.subnet(11, '10.1.0.0/24', scanAgent=3)
    fresh(stage)
    peer, other = scanner(stage), scanner(stage, 'site-b')
    ask = ctl(stage, 'scan', '10')
    order = peer.wait('scan')
    say(other, order, 'done', up=99, total=99)           # another's order
    say(peer, {'id': os.urandom(16)}, 'done')            # nobody's
    say(peer, {'id': b''}, 'done')                       # none at all
    other.send({'v': 1, 't': 'beat', 'now': now_ms()})
    other.wait('beat')
    try:
        peer.wait('verdict')
        raise AssertionError('a bad id was taken')
    except Exception as error:
        assert 'bad-message' in str(error), error
    time.sleep(0.3)
    assert 'sent' in state(stage) and 'done' not in state(stage)
    say(peer, order, 'flying', done=3, total=9)          # a word of the future
    ask.end(0, 'has taken it: probing')
    say(peer, order, 'done', done=9, total=9, up=1, complete=True)
    until(lambda: 'done: 1 of 9' in state(stage), 'its own word counts')


@case('scan: the session breaks, and the scan goes on')
def reconnected(stage):
    peer, watch, order = under_way(stage)
    stage.hub.ctl('scan', '--cancel', '10')
    peer.wait('cancel')
    again = stage.peers['again'] = stage.hub.peer(orders=True)
    # The order is not repeated; that it is to end is.
    equal(again.wait('cancel')['id'], order['id'])
    say(again, order, 'waiting')  # a state that it had left
    say(again, order, 'probing', done=200, total=254)
    until(lambda: '79 % of 254' in state(stage), 'the new session tells')
    say(again, order, 'cancelled')
    watch.end(1, 'cancelled')


@case('scan: what the scanner does not name in its new session is lost',
      long=True)
def not_named(stage):
    stage.subnet(11, '10.1.0.0/24')
    fresh(stage)
    peer, gone, _ = under_way(stage, rate=9)
    until(lambda: 'nothing heard for' in state(stage), 'its silence shows')
    assert '9/s' not in state(stage), state(stage)
    _, kept, order = under_way(stage, peer, '11')
    again, begun = scanner(stage), time.monotonic()
    say(again, order, 'probing', done=9, total=254)
    gone.end(75, 'connected anew and says nothing about it')
    seconds = time.monotonic() - begun
    assert 12 < seconds < 20, seconds
    say(again, order, 'done', done=254, total=254, complete=True)
    kept.end(0, 'done: 0 of 254')


@case('scan: an order is in nobody\'s way when the subnet has another scanner')
def moved(stage):
    peer, watch, order = under_way(stage)
    stage.update('subnets', 10, scanAgent=3)
    other = scanner(stage, 'site-b')
    again = ctl(stage, 'scan', '10')
    taken = other.wait('scan')
    say(other, taken, 'waiting')
    again.end(0, 'site-b has taken it')
    watch.end(75, 'belongs to another scanner by now')
    equal(peer.wait('cancel')['id'], order['id'])
    say(peer, order, 'probing', done=2, total=254)
    time.sleep(0.3)
    assert 'site-b' in state(stage) and 'waiting' in state(stage)
    refused(stage, '10', says='is being scanned already')
    say(other, taken, 'done')
    until(lambda: 'done' in state(stage), 'its end')


def ask(stage, request):
    """What the hub answers on its control socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(stage.hub.directory / 'control.sock'))
        client.sendall(request.encode() + b'\n')
        return client.makefile().read()


@case('requests that make no sense are refused, and the next is answered')
def senseless(stage):
    fresh(stage)
    for request in ('scan', 'scan both', 'scan both ', 'scan x 10',
                    'scan both -1', 'scan both 10.0.0.1/24', 'scan ' + 'k' * 99,
                    'scan both ' + '9' * 200, 'cancel', 'cancel x', 'cancel s',
                    'cancel 0', 'order', 'order  ', 'order ' + 's' * 200,
                    'orders all', 'subnet', 'subnet ' + '1' * 200,
                    'subnet ::/0', 'subnets', 'pause', 'pause 10', 'pause -',
                    'pause - ', 'pause -1 10', 'pause 1 10', 'pause 1e9 10',
                    'pause ' + '9' * 100 + ' 99', 'pause - %', 'pause - %4',
                    'pause ' + '9' * 100 + ' 10', 'pause ' + '9' * 19 + ' 10',
                    'pause 1000000000000000000 10', 'pause 4102444800001 10',
                    'pause - %zz', 'pause - a%00b', 'pause - 0', 'resume',
                    'resume %', 'resume 0', 'SCAN', 'status now', 'key'):
        answer = ask(stage, request)
        assert answer.startswith('error '), (request, answer)
        assert answer.count('\n') == 1, (request, answer)
    equal(ask(stage, 'subnets x').split('\t')[0], 'ok\n10')
    equal(ask(stage, 'subnets ' + '9' * 100), 'ok\n')
    equal(listed(stage)[10], ('scanned', ''))


@case('scan: orders are bounded', patience=240)
def bounded(stage):
    values = ', '.join(f"({100 + i}, '{0x14000000 + 256 * i}', '24', 1, 2, 1, "
                       '1)' for i in range(257))
    stage.sql.rows('INSERT INTO subnets (id, subnet, mask, sectionId, '
                   f'scanAgent, pingSubnet, discoverSubnet) VALUES {values}')
    peer = scanner(stage)

    for i in range(256):
        assert ask(stage, f'scan both {100 + i}').startswith('ok s'), i
    assert 'error 256 ordered scans are open already' in ask(
        stage, 'scan both 356')
    first = peer.wait('scan')
    say(peer, first, 'done')
    until(lambda: ask(stage, 'scan both 356').startswith('ok s'),
          'there is room')
    text = ask(stage, 'orders')
    equal(text.count('\ns'), 256)
    assert len(text) < 65536, len(text)
    stage.hub.restart()  # which ends all of them
    equal(ask(stage, 'orders'), 'ok\n')


# --- pauses -------------------------------------------------------------------

def paused(peer):
    return {one['id']: one.get('paused', False) for one in peer.assignments()}


@case('pause: pushed at once, kept over a restart, ended by resume')
def pauses(stage):
    stage.subnet(11, '10.1.0.0/24')
    fresh(stage)
    peer = stage.peer()
    equal(paused(peer), {10: False, 11: False})
    drain(peer)
    begun = time.monotonic()
    assert 'until scanhubctl resume' in stage.hub.ctl('pause', '10').stdout
    _, seconds = heard(peer, begun)
    assert seconds < 2, seconds
    equal(paused(peer), {10: True, 11: False})
    equal(listed(stage)[10][0], 'paused')
    assert 'paused: subnet 10, 10.0.0.0/24, until scanhubctl resume' \
        in stage.hub.ctl('status').stdout
    equal(stage.hub.restart(), 0)
    equal(paused(stage.peer()), {10: True, 11: False})
    # It is no obstacle for an order.
    other = scanner(stage)
    ask = ctl(stage, 'scan', '10')
    say(other, other.wait('scan'), 'waiting')
    ask.end(0)
    equal(stage.hub.ctl('resume', '10.0.0.0/24').stdout,
          'subnet 10 scanned again\n')
    equal(paused(scanner(stage)), {10: False, 11: False})
    done = stage.hub.ctl('resume', '10', check=False)
    assert done.returncode == 1 and 'not paused' in done.stderr, done


@case('pause: an agent by its name, ended by its time',
      long=True)
def paused_agent(stage):
    stage.subnet(11, '10.1.0.0/24', scanAgent=3)
    stage.update('scanAgents', 3, name='Büro 100%')
    fresh(stage)
    assert 'Büro 100%' in stage.hub.ctl('subnets').stdout
    stage.hub.ctl('pause', 'Büro 100%', '--until', '3s')
    until(lambda: listed(stage, '--agent', 'Büro 100%')[11][0] == 'paused',
          'it is paused')
    other = stage.peer('site-b')
    equal(paused(other), {11: True})
    equal(paused(stage.peer()), {10: False})
    drain(other)
    _, seconds = heard(other, time.monotonic())
    comment(f'over {seconds:.1f} s later')
    equal(paused(other), {11: False})
    stage.hub.ctl('pause', '11', '--until', '2099-01-01 00:00')
    assert 'until 2099-01-01 00:00:00' in stage.hub.ctl('subnets', '11').stdout
    for words, says, status in (
            (['99'], 'no subnet 99', 1), (['lan'], 'no scan agent', 1),
            (['10', '--until', 'soon'], '90m, 8h or 2d', 64),
            (['10', '--until', '2020-01-01'], 'over already', 64)):
        done = stage.hub.ctl('pause', *words, check=False)
        assert done.returncode == status and says in done.stderr, done
    stage.hub.ctl('resume', '11')


@case('resume: what holds then is said')
def resumed(stage):
    stage.subnet(11, '10.1.0.0/24')
    stage.agent(4, '77', 'Number00000000000000000000000000')
    stage.subnet(12, '10.2.0.0/24', scanAgent=4)
    fresh(stage)

    def told(*words):
        return ' '.join(stage.hub.ctl(*words).stdout.split())
    equal(told('pause', 'site-a'), "all subnets of scan agent 'site-a' paused "
          'until scanhubctl resume')
    told('pause', '10')
    equal(told('resume', '10'), "subnet 10 still paused, with all subnets of "
          "scan agent 'site-a', until scanhubctl resume")
    told('pause', '11')
    equal(told('resume', 'site-a'), "all subnets of scan agent 'site-a' not "
          'paused any more: 1 is scanned again, 1 is itself paused')
    stage.update('subnets', 11, isFolder=1)
    fresh(stage)
    equal(told('resume', '11'), 'subnet 11 not paused any more, but not '
          'scanned: it is a folder in phpIPAM')
    # A name that is a number, and the subnet of that id goes before it.
    assert "agent '77' paused" in told('pause', '77')
    equal(listed(stage)[12][0], 'paused')
    stage.subnet(77, '10.77.0.0/24')
    fresh(stage)
    assert 'subnet 77 paused' in told('pause', '77')
    stage.sql.rows('DELETE FROM subnets WHERE id = 77')
    fresh(stage)
    assert 'phpIPAM has no such subnet' in told('resume', '77')
    assert '1 is scanned again' in told('resume', '77')
    refused = stage.hub.ctl('resume', '78', check=False)
    assert refused.returncode == 1 and 'no subnet 78' in refused.stderr, refused


@case('pause: a list that is broken stops the hub, by name')
def broken_pauses(stage):
    path = stage.hub.directory / 'pauses'
    fresh(stage)
    stage.hub.ctl('pause', '10')
    text = path.read_text()
    stage.hub.stop()
    path.write_text(text + 'subnet seven until -\n')
    mark = stage.hub.log_mark()
    stage.hub.start(wait=False)
    equal(stage.hub.process.wait(30), 78)
    stage.hub.process = None
    assert f'{path}:3:' in stage.hub.log_from(mark), stage.hub.log_from(mark)
    path.write_text(text)
    stage.hub.start()
    equal(listed(stage)[10][0], 'paused')
    # What cannot be kept is not promised.
    path.unlink()
    path.mkdir()
    for word in ('pause', 'resume'):
        done = stage.hub.ctl(word, '10', check=False)
        assert done.returncode == 1 and str(path) in done.stderr, done
    equal(listed(stage)[10][0], 'paused')
    path.rmdir()
    stage.hub.ctl('resume', '10')


# --- a real scanner -----------------------------------------------------------

def real_scanner(stage):
    """It scans what it is told to, and nothing by itself."""
    stage.sql.rows('DELETE FROM subnets')
    stage.subnet(40, '127.0.0.0/29')
    stage.subnet(41, '127.0.1.0/24')
    fresh(stage)
    stage.hub.ctl('pause', 'site-a')
    one = Scanner(stage, keys=stage.hub.keys['site-a'])
    stage.extra.append(one)
    one.start()
    one.says('connected')
    until(lambda: 'scanner: site-a, connected\n'
          in stage.hub.ctl('subnets', '40').stdout, 'it is connected')
    return one


def in_time(stage):
    """Nothing is paused any more."""
    stage.hub.ctl('resume', 'site-a')


@case('a real scanner: a scan is ordered, and its rows are there at the end')
def real_done(stage):
    one = real_scanner(stage)
    out = stage.hub.ctl('scan', '40', '--watch').stdout
    comment(out)
    assert 'done: 6 of 6 addresses answered' in out, out
    assert '6 added, 0 refused' in out, out
    equal(stage.count(40), 6)
    assert stage.times(40)[0] and stage.times(40)[1], stage.times(40)
    equal(stage.count(41), 0)
    # Only the known addresses.
    out = stage.hub.ctl('scan', '127.0.0.0/29', '--watch', '--kind',
                        'check').stdout
    assert '6 confirmed, 0 added' in out, out
    # Quiet hours are more than a pause.
    stage.hub.policy("scan: {quiet: ['00:00-24:00']}")
    until(lambda: 'quiet' in stage.hub.ctl('scan', '40', '--watch',
                                           check=False).stderr,
          'it is refused in quiet hours')
    assert one.process.poll() is None
    in_time(stage)


@case('a real scanner: a scan is under way, cancelled and refused')
def real_cancelled(stage):
    stage.hub.policy('scan: {subnets: {41: {rate: 5}}}')
    one = real_scanner(stage)
    watch = ctl(stage, 'scan', '41', '--watch')
    until(lambda: 'probing' in state(stage), 'it is probing')
    until(lambda: re.search(r'[1-9] up', state(stage)), 'somebody is up')
    refused(stage, '41', says='is being scanned already')
    stage.hub.ctl('scan', '--cancel', '127.0.1.0/24')
    watch.end(1, 'cancelled')
    equal(stage.count(41), 0)
    # It goes away in the midst of the next.
    watch = ctl(stage, 'scan', '41', '--watch')
    until(lambda: 'probing' in state(stage), 'it is probing again')
    one.kill()
    one.process = None
    stage.hub.ctl('scan', '--cancel', '41', check=False)
    until(lambda: 'to be cancelled' in state(stage), 'it is being cancelled')
    time.sleep(0.5)
    watch.process.send_signal(signal.SIGINT)
    out = watch.end(75, 'is still to be cancelled')
    assert '--cancel' not in out, out
    stage.hub.restart()
    in_time(stage)


# --- scanners of 0.1 ----------------------------------------------------------

def golden(name, shift=0):
    """A frame of 0.1 as it was, but for its times."""
    text = (SOURCE / 'tests' / 'golden' / '0.1' / f'{name}.hex').read_text()
    frame = bytes.fromhex(re.sub(r'#.*', '', text))

    def move(match):
        at = int.from_bytes(match[1], 'big')
        moved = at + shift if abs(at - 1760000000000) < 86400000 else at
        return b'\xcf' + moved.to_bytes(8, 'big')
    return re.sub(rb'\xcf(.{8})', move, frame, flags=re.S)


@case('a scanner of 0.1 is served, and never told to scan')
def of_0_1(stage):
    stage.subnet(7, '10.0.0.0/24')
    stage.sql.rows('DELETE FROM subnets WHERE id = 10')
    stage.address('10.0.0.77', 7, lastSeen='2020-01-01 00:00:00')
    fresh(stage)
    shift = now_ms() - 1760000100000
    received = []

    def answers():
        while peer.socket.poll(300):
            received.append(msgpack.unpackb(peer.socket.recv()))
        return [one['t'] for one in received]

    def wait(kind):
        until(lambda: kind in answers(), f'{kind} comes')
        return [one for one in received if one['t'] == kind][-1]
    peer = stage.peer()
    for name in ('hello', 'beat', 'assignments', 'targets'):
        peer.socket.send(golden(name, shift))
    assert wait('welcome')['name'] == 'site-a'
    rows = wait('assignments-page')['subnets']
    equal([one['id'] for one in rows], [7])
    known = set(msgpack.unpackb(golden('assignments-page'))['subnets'][0])
    assert known <= set(rows[0]), rows  # what 0.1 needs is all there
    equal([one['ip'] for one in wait('targets-page')['targets']],
          [packed('10.0.0.77')])
    peer.socket.send(golden('report-hosts', shift))
    equal(wait('verdict')['result'], 'applied')
    peer.socket.send(golden('report-closing', shift))
    until(lambda: answers().count('verdict') == 2, 'the second verdict')
    equal([one['result'] for one in received if one['t'] == 'verdict'],
          ['applied'] * 2)
    equal(stage.column('hostname', '10.0.0.1', 7), 'router.site.example')
    assert stage.column('lastSeen', '10.0.0.77', 7) > '2026'
    assert stage.times(7)[0] > '2026', stage.times(7)
    # Settings, pauses and orders pass it by.
    refused(stage, '7', says='takes no orders: it is older than 0.2')
    stage.hub.ctl('pause', '7')
    until(lambda: 'revision' in answers(), 'a revision, as ever')
    stage.hub.ctl('resume', '7')
    answers()
    assert not {'scan', 'cancel'} & set(answers()), received
    assert 'error' not in answers(), received


if __name__ == '__main__':
    sys.exit(harness.main(slow=True))

#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Subnets with very many rows: pages and closing parts are right, hold little
memory, and keep nobody waiting, whoever asks for them and however often."""

import ipaddress
import os
import re
import statistics
import sys
import threading
import time

sys.dont_write_bytecode = True

import msgpack

from harness import (SCANHUBD, Stage, ago, case, comment, equal, host, main,
                     now_ms, wall)
from peer import Report

SANITIZED = b'__asan_init' in SCANHUBD.read_bytes()
SLACK = 4 if SANITIZED else 1
ROWS = 200_000
BIG = '10.64.0.0/10'
OLD = ago(86400)
OFFLINE, USED, RESERVED, DHCP = 1, 2, 3, 4

if SANITIZED:  # else what is freed stays in memory
    os.environ['ASAN_OPTIONS'] = ':'.join(
        [os.environ.get('ASAN_OPTIONS', ''), 'quarantine_size_mb=8'])


class Large(Stage):
    hub_config = {'workers': 1}

    def fill(self, ident, cidr, rows, offset=0, **columns):
        """A subnet of site B's with a row for each of its first addresses."""
        self.subnet(ident, cidr, scanAgent=3)
        base = int(ipaddress.ip_network(cidr).network_address) + offset
        self.sql.rows(
            'INSERT INTO ipaddresses (subnetId, ip_addr, state, lastSeen, '
            f"hostname) SELECT {ident}, {base} + seq, {USED}, '{wall(OLD)}', "
            f"REPEAT('a', 60) FROM seq_0_to_{rows - 1}")

    def rss(self):
        with open(f'/proc/{self.hub.process.pid}/status') as status:
            return int(re.search(r'VmRSS:\s+(\d+)', status.read())[1]) // 1024

    def states(self, ident):
        return dict(self.sql.rows('SELECT state, COUNT(*) FROM ipaddresses '
                                  f'WHERE subnetId = {ident} GROUP BY state'))


def pump(hub, message, stop, seen):
    """Sixteen at a time, again and again."""
    peer = hub.peer('site-b', 60)
    try:
        while not stop.is_set():
            for _ in range(16):
                peer.send(message())
            for _ in range(16):
                if not peer.socket.poll(60000):
                    return
                answer = msgpack.unpackb(peer.socket.recv())
                word = answer.get('result') or answer.get('cause') or answer['t']
                seen[word] = seen.get(word, 0) + 1
    finally:
        peer.socket.close()


def served_while(s, message, expected):
    """An honest scanner of the same worker while site B asks for that; how
    much the hub grows."""
    peer = s.peer('site-a')

    def rounds():
        took, end = [], time.monotonic() + 3
        while time.monotonic() < end:
            begun = time.monotonic()
            equal(peer.deliver(s.report().part([host('10.0.0.7')]))[0]['result'],
                  'applied')
            took.append(time.monotonic() - begun)
            time.sleep(0.01)
        return took

    normal, before, most = statistics.median(rounds()), s.rss(), 0
    stop, seen = threading.Event(), {}
    thread = threading.Thread(target=pump, args=(s.hub, message, stop, seen))
    thread.start()
    try:
        took, most = rounds(), s.rss()
    finally:
        stop.set()
        thread.join()
    median, worst = statistics.median(took), max(took)
    comment(f'{seen}: a report takes {median * 1000:.0f} ms at the median, '
            f'{worst * 1000:.0f} at worst, instead of {normal * 1000:.0f}; '
            f'memory +{most - before} MiB')
    assert seen.get(expected), seen
    assert median < 0.6 * SLACK, f'{median:.2f} s'
    assert worst < 2 * SLACK, f'{worst:.2f} s'
    assert most - before < 32 * SLACK, f'{most - before} MiB more'


@case('pages of targets for a large subnet, again and again')
def _(s):
    s.fill(40, BIG, ROWS)
    served_while(s, lambda: {'v': 1, 't': 'targets', 'subnet': 40},
                 'targets-page')


@case('closing parts for a large subnet, again and again')
def _(s):
    s.sql.rows('UPDATE settings SET updateTags = 1')
    s.hub.policy('policy: {max_offline: off}')
    s.fill(40, BIG, ROWS)
    # The first and the last address are covered, and nothing between.
    covered = [('10.64.0.1', '10.64.0.1'), ('10.127.255.1', '10.127.255.1')]
    # Each is a new one, which begins at the first address.
    served_while(s, lambda: Report(40, BIG).closing(covered, part=0, parts=0),
                 'retry')
    equal(s.states(40), {str(USED): str(ROWS - 1), str(OFFLINE): '1'})


@case('closing parts of a large subnet that are counted first, likewise')
def _(s):
    s.sql.rows('UPDATE settings SET updateTags = 1')
    s.fill(40, BIG, ROWS)
    covered = [('10.64.0.1', '10.127.255.1')]
    served_while(s, lambda: Report(40, BIG).closing(covered, part=0, parts=0),
                 'retry')
    equal(s.states(40), {str(USED): str(ROWS)})


@case('pages are in the order of addresses, also where their digits grow')
def _(s):
    # 99,999,999 is 5.245.224.255.
    network = ipaddress.ip_network('5.245.192.0/18')
    s.fill(40, str(network), 16384)
    s.fill(41, '5.245.128.0/17', 32768)
    s.sql.rows("UPDATE ipaddresses SET excludePing = '1' WHERE subnetId = 40 "
               "AND ip_addr = '99999999'")
    # In the subnet's rows, but not of its network; and an IPv6 address that
    # begins with the same digits.
    s.address('5.246.0.1', 40)
    s.address(str(ipaddress.IPv6Address(int('99999998' + '0' * 30))), 40)
    found = s.peer('site-b').pages('targets', 'targets', 'ip', subnet=40)
    wanted = [one.packed for one in network]
    wrong = [at for at, one in enumerate(found)
             if wanted[at:at + 1] != [one['ip']]]
    equal((len(found), wrong[:3]), (len(wanted), []))
    equal([str(ipaddress.ip_address(one['ip'])) for one in found
           if one['exclude']], ['5.245.224.255'])

    network = ipaddress.ip_network('2001:db8::/112')
    s.subnet(42, str(network), scanAgent=3)
    some = sorted({0, 1, 2, 9, 10, 255, 4096, 65535})
    for at in reversed(some):
        s.address(str(network[at]), 42)
    found = s.peer('site-b').pages('targets', 'targets', 'ip', subnet=42)
    equal([one['ip'] for one in found], [network[at].packed for at in some])


@case('targets do not wait for whoever writes to the subnet')
def _(s):
    s.subnet(40, '10.40.0.0/24', scanAgent=3)
    s.address('10.40.0.1', 40)
    other = s.database.session()
    s.extra.append(other)
    other.rows('BEGIN')
    other.rows('SELECT id FROM subnets WHERE id = 40 FOR UPDATE')
    begun = time.monotonic()
    found = s.peer('site-b').pages('targets', 'targets', 'ip', subnet=40)
    took = time.monotonic() - begun
    other.rows('ROLLBACK')
    equal(len(found), 1)
    assert took < 3, f'{took:.1f} s'


def closed(peer, message):
    """Send it until it is written; the results."""
    results = []
    while len(results) < 20 and results[-1:] != ['applied']:
        peer.send(message)
        answer = peer.wait('verdict', id=message['id'])
        results.append(answer['result'])
        if answer['result'] == 'retry':
            equal(answer['cause'], 'unfinished')
    return results


def fill_silent(s):
    """A /14 of which all but nine rows may go Offline; its closing part."""
    s.sql.rows('UPDATE settings SET updateTags = 1')
    s.fill(40, '10.68.0.0/14', 150_000)
    base = int(ipaddress.ip_address('10.68.0.0'))
    for row, columns in ((5, f'state = {RESERVED}'), (6, f'state = {DHCP}'),
                         (7, 'lastSeen = NULL'), (8, "excludePing = '1'"),
                         (9, f"lastSeen = '{wall(ago(0))}'"),
                         (140_000, f'state = {RESERVED}'),
                         (149_999, f'state = {DHCP}')):
        s.sql.rows(f'UPDATE ipaddresses SET {columns} WHERE subnetId = 40 '
                   f"AND ip_addr = '{base + row}'")
    return Report(40, '10.68.0.0/14', started=now_ms() - 60_000).closing(
        [('10.68.0.2', '10.71.255.254')], part=0, parts=0)


def send_silent(s, counted):
    """The answers, if 'counted' without any change until all is counted."""
    message = fill_silent(s)
    before = s.states(40)
    peer = s.hub.peer('site-b', 60)
    s.extra.append(peer.socket)
    for _ in range(counted):
        peer.send(message)
        equal(peer.wait('verdict', id=message['id'])['cause'], 'unfinished')
        equal(s.states(40), before)
    return closed(peer, message)


# Left: outside of what was covered (2), never seen, excluded, seen since.
SILENT = {str(OFFLINE): str(150_000 - 5 - 2), str(USED): '5',
          str(RESERVED): '2'}


@case('a scan that finds a /14 silent is written in parts')
def _(s):
    s.hub.policy('policy: {max_offline: off}')
    mark = s.hub.log_mark()
    equal(send_silent(s, 0), ['retry'] * 4 + ['applied'])
    equal(s.states(40), SILENT)
    equal(s.hub.log_from(mark).count('scan written in part'), 4)


@case('the brake counts all of a /14 before any of it is written')
def _(s):
    s.hub.policy('policy: {max_offline: 100}')
    # 19 slices are counted and then written, four at a time.
    equal(send_silent(s, 4), ['retry'] * 5 + ['applied'])
    equal(s.states(40), SILENT)


@case('and holds all of it or nothing')
def _(s):
    mark = s.hub.log_mark()
    before = None
    equal(send_silent(s, 4), ['applied'])
    equal(s.states(40).get(str(OFFLINE)), before)
    equal(len(s.times(40)[0]), 19)
    log = s.hub.log_from(mark)
    assert 'changes=149993' in log and 'preview show' in log, log


@case('two large closing parts at once, and one whose id another subnet has')
def _(s):
    s.sql.rows('UPDATE settings SET updateTags = 1')
    s.hub.policy('policy: {max_offline: 100}')
    s.fill(40, '10.68.0.0/15', 70_000)
    s.fill(41, '10.70.0.0/15', 70_000)
    peer = s.hub.peer('site-b', 60)
    s.extra.append(peer.socket)
    ends = {40: ('10.68.0.0/15', '10.68.0.0', '10.69.255.254'),
            41: ('10.70.0.0/15', '10.70.0.0', '10.71.255.254')}
    left = {}
    for ident, (cidr, *covered) in ends.items():
        left[ident] = Report(ident, cidr, started=now_ms() - 60_000).closing(
            [covered], part=0, parts=0)
    left[41]['id'] = left[40]['id']
    rounds = 0
    while left and rounds < 20:
        rounds += 1
        for ident, message in list(left.items()):
            peer.send(message)
            if peer.wait('verdict', id=message['id'])['result'] == 'applied':
                del left[ident]
    equal(rounds, 5)  # nine slices, counted and written
    for ident in ends:
        equal(s.states(ident), {str(OFFLINE): '70000'})


if __name__ == '__main__':
    sys.exit(main(Large, long=True))

#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Hostile conditions: what strangers, thrown-out scanners and scanners that
turned evil try, what that costs the hub, and how honest ones fare meanwhile."""

import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True

import msgpack
import zmq

import harness
from harness import (CODE_A, PATIENCE, SCANHUBD, Skip, Stage, ago, case, comment,
                     decimal, die_with_us, end, equal, host, until)
from peer import HubError, Peer, now_ms
from rawpeer import MORE, RawPeer, Refused

RAWPEER = Path(__file__).with_name('rawpeer.py')
SANITIZED = b'__asan_init' in SCANHUBD.read_bytes()
ROUNDS = 30
NOISE = 0.3 if SANITIZED else 0.1  # s, of what else the machine does
CEILING = 400 if SANITIZED else 160  # MiB
HELLO = {'v': 1, 't': 'hello', 'now': now_ms(), 'version': 'evil'}


if SANITIZED:  # else what is freed stays in memory
    os.environ['ASAN_OPTIONS'] = ':'.join(
        [os.environ.get('ASAN_OPTIONS', ''), 'quarantine_size_mb=8'])


class Attack:
    """rawpeer.py at work, as a process of its own."""

    def __init__(self, hub, kind, *more):
        self.process = subprocess.Popen(
            ['/usr/bin/python3', '-B', str(RAWPEER), kind, '--port',
             str(hub.port), f'--hub-key={hub.public}', *more], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            preexec_fn=die_with_us)
        equal(self.process.stdout.readline(), 'ready\n')

    def close(self):
        """How much it did."""
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.done = int(self.process.stdout.readline() or 0)
                self.process.wait(10)
            except (subprocess.TimeoutExpired, ValueError):
                pass
        end(self.process)
        return getattr(self, 'done', 0)


class Hostile(Stage):
    def rss(self, hub=None):
        """The hub's memory in MiB."""
        pid = (hub or self.hub).process.pid
        with open(f'/proc/{pid}/status') as status:
            return int(re.search(r'VmRSS:\s+(\d+)', status.read())[1]) // 1024

    def rounds(self, peer, seconds=0.0):
        """The median of the round trips of many reports of a full /24; each
        is applied."""
        took, over = [], time.monotonic() + seconds
        while len(took) < ROUNDS or time.monotonic() < over:
            message = self.report().part(
                [host(f'10.0.0.{at}') for at in range(1, 255)])
            begun = time.monotonic()
            equal(peer.deliver(message)[0]['result'], 'applied')
            took.append(time.monotonic() - begun)
        return statistics.median(took)

    def meanwhile(self, what, play, hub=None, memory=64, cpu=None):
        """An honest scanner is served in time while 'play' goes on, and the
        hub gets neither large nor busy by it."""
        hub = hub or self.hub
        peer = hub.peer('site-a')
        self.extra.append(peer.socket)
        normal = self.rounds(peer)
        before, busy, begun = self.rss(hub), hub.cpu(), time.monotonic()
        attack = play()
        during = self.rounds(peer, 2)
        took = time.monotonic() - begun
        grown, share = self.rss(hub) - before, (hub.cpu() - busy) / took
        done = attack.close()
        comment(f'{what}: {done} in {took:.1f} s; a report takes '
                f'{during * 1000:.1f} ms instead of {normal * 1000:.1f}; '
                f'memory +{grown} MiB, {share:.0%} of a core')
        assert hub.alive(), 'the hub died'
        most = max(2 * normal, normal + NOISE)
        assert during < most, f'{during:.3f} s instead of {normal:.3f}'
        assert grown < memory * (4 if SANITIZED else 1), f'{grown} MiB more'
        if cpu:
            assert share < cpu, f'{share:.0%} of a core'

    def told(self, peer, cause, patience=PATIENCE):
        """The peer gets that error; after how many seconds."""
        begun = time.monotonic()
        equal(peer.wait('error')['cause'], cause)
        return time.monotonic() - begun

    def in_order(self, hub):
        """A hub of the case's own ends as it should."""
        equal(hub.stop(), 0, 'exit status')
        log = hub.log_from()
        assert 'runtime error:' not in log and 'Sanitizer' not in log, log[-4000:]

    def joined(self, name, code):
        """A session of a fresh entry."""
        self.hub.scanner(name, code)
        self.hub.reload()
        peer = self.hub.peer(name)
        self.extra.append(peer.socket)
        return peer

    def raw(self, name, **options):
        raw = RawPeer(self.hub.port, **options)
        self.extra.append(raw)
        return raw.handshake(self.hub.public, *self.hub.keys[name])


# --- nobody in ------------------------------------------------------------------

@case('revoke: the open session is told within a second, and by which hub')
def _(s):
    peer = s.joined('leaver', CODE_A)
    equal(peer.deliver(s.report().part([host('10.0.0.5')]))[0]['result'],
          'applied')
    before = s.tables()
    begun = time.monotonic()
    (s.hub.registry / 'leaver.cert').unlink()
    equal(peer.wait('error')['cause'], 'revoked')
    took = time.monotonic() - begun
    assert took < 1, f'it took {took:.2f} s'
    comment(f'revoked -> told: {took * 1000:.0f} ms')
    peer.send(s.report().part([host('10.0.0.6')]))
    equal(peer.wait('error')['cause'], 'revoked')
    equal(s.tables(), before)

    peer = s.joined('leaver', CODE_A)
    said = s.hub.ctl('scanner', 'revoke', 'leaver').stdout
    assert 'lets it in no longer' in said, said
    for word in (f'{s.hub.directory}/control.sock', s.hub.endpoint,
                 f'pid {s.hub.process.pid}', ', key '):
        assert word in said, f'{word} is not in {said}'
    equal(peer.wait('error')['cause'], 'revoked')


@case('revoke between the hub\'s read and its COMMIT: nothing is written')
def _(s):
    peer = s.joined('leaver', CODE_A)
    s.seen_row('10.0.0.5', ago(900))
    before = s.tables()
    other = s.database.session()
    s.extra.append(other)
    other.rows('BEGIN')
    other.rows("UPDATE ipaddresses SET note = 'held' WHERE subnetId = 10")
    peer.send(s.report().part([host('10.0.0.5'), host('10.0.0.6')]))
    until(s.database.blocked, 'the hub has read and waits to write', 10)
    s.hub.ctl('scanner', 'revoke', 'leaver')
    other.rows('ROLLBACK')
    equal(peer.wait('error')['cause'], 'revoked')
    time.sleep(0.3)
    equal(s.tables(), before)


@case('a stolen code and another scanner\'s subnet get nothing')
def _(s):
    s.subnet(20, '10.20.0.0/24', scanAgent=3)
    s.seen_row('10.0.0.5', ago(900))
    before = s.tables()
    peer = s.peer('site-b')
    verdict = peer.deliver(
        s.report(**{'for': CODE_A}).part([host('10.0.0.5')]))[0]
    equal((verdict['result'], verdict['cause']), ('refused', 'code-denied'))
    verdict = peer.deliver(s.report().part([host('10.0.0.5')]))[0]
    equal((verdict['result'], verdict['cause']), ('refused', 'subnet-not-assigned'))
    # The own id with the other's network, and the other way round.
    for ident, cidr in ((20, '10.0.0.0/24'), (10, '10.20.0.0/24')):
        verdict = peer.deliver(s.report(ident, cidr).part(
            [host('10.0.0.5'), host('10.20.0.5')]))[0]
        equal(verdict['result'], 'refused', f'{verdict}')
    for message in ({'v': 1, 't': 'targets', 'subnet': 10},
                    {'v': 1, 't': 'assignments', 'for': CODE_A}):
        peer.send(message)
        peer.wait('error')
    equal(s.tables(), before)


@case('another\'s routing id gets nothing')
def _(s):
    def dealer(name):
        sock = zmq.Context.instance().socket(zmq.DEALER)
        s.extra.append(sock)
        sock.linger, sock.routing_id, sock.sndtimeo = 0, b'site-a', 1000
        sock.curve_serverkey = s.hub.public.encode()
        sock.curve_publickey, sock.curve_secretkey = (
            key.encode() for key in s.hub.keys[name])
        sock.connect(s.hub.endpoint)
        sock.send(msgpack.packb(HELLO))
        return sock

    honest = dealer('site-a')
    assert honest.poll(5000)
    equal(msgpack.unpackb(honest.recv())['name'], 'site-a')
    before = s.tables()
    thief = dealer('site-b')
    thief.send(msgpack.packb(s.report().part([host('10.0.0.5')])))
    assert not thief.poll(1000), 'the thief got an answer'
    equal(s.tables(), before)
    message = s.report().part([host('10.0.0.6')])
    honest.send(msgpack.packb(message))
    assert honest.poll(5000)
    verdict = msgpack.unpackb(honest.recv())
    equal((verdict['id'], verdict['result']), (message['id'], 'applied'))
    assert not thief.poll(0), 'the thief got the other\'s verdict'


@case('what was recorded on one connection is worth nothing on another')
def _(s):
    recorded = s.raw('site-a', record=True)
    recorded.send(msgpack.packb(HELLO))
    equal(msgpack.unpackb(recorded.receive())['t'], 'welcome')
    mark = len(recorded.sent)
    recorded.send(msgpack.packb(s.report().part([host('10.0.0.5')])))
    equal(msgpack.unpackb(recorded.receive())['result'], 'applied')
    message = recorded.sent[mark:]
    s.sql.rows('DELETE FROM ipaddresses')
    before = s.tables()

    # The whole of it from the greeting on: the cookie is another one.
    again = RawPeer(s.hub.port)
    s.extra.append(again)
    again.put(recorded.sent)
    assert again.closed(), 'a recorded handshake is let in'
    # One message on a connection with a good key, even the same one.
    for name in ('site-a', 'site-b'):
        other = s.raw(name)
        other.send(msgpack.packb(HELLO))
        equal(msgpack.unpackb(other.receive())['t'], 'welcome')
        other.put(message)
        assert other.closed(), 'a recorded message is taken'
    # And twice on its own.
    recorded = s.raw('site-a')
    message = recorded.seal(msgpack.packb(HELLO))
    recorded.put(message)
    recorded.receive()
    recorded.put(message)
    assert recorded.closed(), 'a message is taken twice'
    equal(s.tables(), before)


# --- strangers -------------------------------------------------------------------

@case('garbage instead of a greeting')
def _(s):
    s.meanwhile('garbage', lambda: Attack(s.hub, 'garbage'))


@case('a thousand half-open handshakes')
def _(s):
    s.meanwhile('half-open handshakes',
                lambda: Attack(s.hub, 'half-open', '--count', '1000'),
                memory=100)


@case('huge frames before the handshake')
def _(s):
    s.meanwhile('huge frames', lambda: Attack(s.hub, 'huge'), memory=32)


@case('a byte a second on two hundred connections')
def _(s):
    s.meanwhile('slowloris',
                lambda: Attack(s.hub, 'slow', '--count', '200'), cpu=0.9)


@case('unknown keys that knock in a loop, and the pending list')
def _(s):
    public, secret = (key.decode() for key in zmq.curve_keypair())
    equal(s.hub.ctl('scanner', 'pending').stdout,
          'no unknown key has knocked\n')
    for _ in range(2):
        try:
            RawPeer(s.hub.port).handshake(s.hub.public, public, secret)
            raise AssertionError('an unknown key got in')
        except Refused:
            pass
    [found] = json.loads(s.hub.ctl('scanner', 'pending', '--json').stdout)
    equal((found['key'], found['knocks']), (public, 2))
    assert found['address'].endswith('127.0.0.1'), found
    said = s.hub.ctl('scanner', 'pending').stdout
    assert 'scanhubctl scanner approve FINGERPRINT NAME' in said, said

    s.meanwhile('unknown keys', lambda: Attack(s.hub, 'knock'), memory=16)
    found = json.loads(s.hub.ctl('scanner', 'pending', '--json').stdout)
    equal(len(found), 8, 'keys of one address')
    assert public not in [one['key'] for one in found], 'the oldest went first'

    # Let in by what the list says, a key is pending no more.
    key = found[0]['fingerprint']
    s.hub.ctl('scanner', 'approve', key, 'newcomer', '--code', CODE_A)
    try:
        until(lambda: key not in s.hub.ctl('scanner', 'pending').stdout,
              'pending no more', 3)
    finally:
        s.hub.ctl('scanner', 'revoke', 'newcomer')


@case('no descriptors left: served meanwhile, and at once afterwards')
def _(s):
    hub = s.new_hub('low')
    s.extra.append(hub)
    start_limited(hub, 256)

    def gauge():
        files = hub.status()['descriptors']
        return [files[key] for key in
                ('used', 'limit', 'reserve', 'turned_away')]

    equal(gauge()[1:], [256, 32, 0])
    attack = []

    def play():
        attack.append(Attack(hub, 'silent', '--count', '1000'))
        until(lambda: gauge()[3] > 100, 'connections are turned away', 10)
        return attack[0]

    peer = hub.peer('site-a')
    s.extra.append(peer.socket)
    normal = s.rounds(peer)
    busy, begun = hub.cpu(), time.monotonic()
    play()
    during = s.rounds(peer)
    # The workers find the way back to the database, though nothing is free.
    for row in s.sql.rows('SELECT id FROM information_schema.processlist '
                          "WHERE user = 'scanhub' OR user = "
                          f"'{s.database.env['DB_USER']}'"):
        s.sql.rows(f'KILL {row[0]}')
    again = s.rounds(peer)
    until(lambda: 'ok ready' in hub.ctl('ping', check=False).stdout,
          'ready under attack', 15)
    used = gauge()
    share = (hub.cpu() - busy) / (time.monotonic() - begun)
    assert used[0] <= 256 and used[0] >= 200, used
    comment(f'descriptors {used[0]} of {used[1]}, {used[3]} turned away; a '
            f'report takes {during * 1000:.1f} ms instead of '
            f'{normal * 1000:.1f}, {again * 1000:.1f} after the database cut '
            f'all connections; {share:.0%} of a core')
    most = max(2 * normal, normal + NOISE)
    assert during < most, f'{during:.3f} s instead of {normal:.3f}'
    until(lambda: 'descriptors are short' in hub.log_from(), 'a line of log', 5)
    equal(hub.log_from().count('descriptors are short'), 1)
    attack[0].close()
    ended = time.monotonic()

    def newcomer():
        try:
            other = hub.peer('site-b', 2)
        except (TimeoutError, zmq.ZMQError):
            return False
        other.socket.close()
        return True

    until(newcomer, 'a new scanner is let in', 10)
    comment(f'a new scanner was in {time.monotonic() - ended:.1f} s after the '
            'end')
    s.in_order(hub)


# In a network of its own: the rules, a listener, and sixty who connect at once.
CONNECT_MANY = """
import socket
listener = socket.create_server(('127.0.0.1', 5766), backlog=128)
got = []
for _ in range(60):
    try:
        got.append(socket.create_connection(('127.0.0.1', 5766), 0.05))
    except OSError:
        pass
print(len(got))
"""


@case('nftables.example: sound, and it keeps most of a burst out')
def _(s):
    rules = harness.SOURCE / 'packaging' / 'nftables.example'
    if not shutil.which('nft') or os.geteuid() != 0:
        raise Skip('needs root and the package nftables')
    done = subprocess.run(
        ['unshare', '-n', 'sh', '-ec', 'ip link set lo up; nft -c -f "$0"; '
         'nft -f "$0"; exec /usr/bin/python3 -c "$1"', str(rules),
         CONNECT_MANY], capture_output=True, text=True, timeout=60,
        check=False)
    if 'Operation not permitted' in done.stderr:
        raise Skip('no network namespaces or no nf_tables here')
    equal((done.returncode, done.stderr), (0, ''))
    assert 40 <= int(done.stdout) < 60, f'{done.stdout.strip()} of 60 got in'


# --- scanners that turned evil ---------------------------------------------------

@case('a message without an end: the memory ceiling, and everybody is back')
def _(s):
    hub = s.new_hub('ceiling', hub=f'memory_ceiling: {CEILING}')
    s.extra.append(hub)
    hub.start()
    peer = hub.peer('site-a')
    s.extra.append(peer.socket)
    equal(peer.deliver(s.report().part([host('10.0.0.5')]))[0]['result'],
          'applied')
    other = s.database.session()
    s.extra.append(other)
    before = s.rss(hub)
    for hello in ([], ['--hello', msgpack.packb(HELLO).hex()]):
        mark = hub.log_mark()
        public = hub.keys['site-b'][0]
        attack = evil(s, 'endless', *hello, hub=hub)
        s.extra.append(attack)
        most = [0]

        def closed():
            most[0] = max(most[0], s.rss(hub))
            assert hub.alive(), 'the hub died'
            return 'memory is above its ceiling' in hub.log_from(mark)

        # A report is with a worker at that moment.
        report = s.report().part([host('10.0.0.7')])
        other.rows('BEGIN')
        other.rows('SELECT id FROM subnets WHERE id = 10 FOR UPDATE')
        peer.send(report)
        until(closed, 'the ceiling is reached', 60)
        begun = time.monotonic()
        peer = back(s, hub)
        took = time.monotonic() - begun
        peer.send(report)  # again, as one does without a verdict
        other.rows('COMMIT')
        equal(peer.wait('verdict', id=report['id'])['result'], 'applied')
        equal(peer.deliver(s.report().part([host('10.0.0.6')]))[0]['result'],
              'applied')
        until(lambda: 'a key is put off' in hub.log_from(mark), 'named', 5)
        named = [line for line in hub.log_from(mark).splitlines()
                 if 'a key is put off' in line]
        assert all(public in line for line in named), named
        after = min(s.rss(hub) for _ in range(5))
        comment(f'ceiling {CEILING} MiB, {before} before, {most[0]} at most, {after} '
                f'after; an honest scanner was back in {took:.1f} s')
        assert most[0] < CEILING + 100, f'{most[0]} MiB'
        assert SANITIZED or after < 100, f'{after} MiB stayed'
        # The evil one is kept out, so that it does not go on like this.
        normal = s.rounds(peer, 2)
        equal(hub.log_from(mark).count('memory is above its ceiling'), 1)
        until(lambda: 'the key is put off, for' in hub.log_from(mark),
              'it is refused', 5)
        attack.close()
        equal(hub.restart(), 0)  # which forgives
        peer = back(s, hub)
    memory = hub.status()['memory']
    equal((memory['ceiling'], memory['closings']), (CEILING << 20, 0))
    s.in_order(hub)


def evil(s, kind, *more, hub=None):
    """An attack with the key of site B."""
    public, secret = (hub or s.hub).keys['site-b']
    # A key may begin with a dash.
    return Attack(hub or s.hub, kind, f'--public={public}',
                  f'--secret={secret}', *more)


@case('reports for every subnet id, and no verdict is read')
def _(s):
    s.subnet(20, '10.20.0.0/24', scanAgent=3)
    before = s.sql.rows('SELECT id, lastScan, lastDiscovery FROM subnets')
    s.meanwhile('reports for every subnet', lambda: evil(s, 'flood'))
    equal(s.sql.rows('SELECT id, lastScan, lastDiscovery FROM subnets'), before)
    equal(s.sql.rows('SELECT DISTINCT subnetId FROM ipaddresses'), [('10',)])
    equal(s.count(10), 254)


@case('large answers that nobody takes')
def _(s):
    s.subnet(20, '10.20.0.0/16', scanAgent=3)
    base = int(decimal('10.20.0.1'))
    s.sql.rows('INSERT INTO ipaddresses (subnetId, ip_addr) VALUES '
               + ', '.join(f"(20, '{base + at}')" for at in range(8192)))
    s.meanwhile('large answers', lambda: evil(s, 'greedy', '--subnet', '20'))


# Every field that a scanner may send, with a value that is right.
ADDRESS = bytes([10, 20, 0, 5])
FIELDS = {
    'hello': {'now': 1, 'version': 'x'},
    'beat': {'now': 1, 'spool': 1, 'running': 1, 'version': 'x'},
    'assignments': {'for': harness.CODE_B, 'after': 0},
    'targets': {'for': harness.CODE_B, 'subnet': 20, 'after': ADDRESS},
    'report': {'id': bytes(16), 'part': 0, 'for': harness.CODE_B, 'subnet': 20,
               'hint': 20, 'cidr': '10.20.0.0/24', 'kind': 'both',
               'started': 1, 'finished': 2, 'off': 0,
               'hosts': [{'ip': ADDRESS, 'seen': 1, 'mac': '00:11:22:33:44:55',
                          'name': 'x', 'how': 'x', 'subnet': 20}],
               'last': False, 'parts': 1, 'complete': True, 'up': 1,
               'covered': [{'first': ADDRESS, 'last': ADDRESS}]},
}
WRONG = [None, True, -1, 1.5, 2**63, 2**64 - 1, -2**63, '', 'x' * 2000, b'',
         b'\xff' * 17, 'a\0b', [], {}, [[]], [{}], [None], {'x': 1},
         {1: 2}, [{'ip': 1}], msgpack.ExtType(1, b'x'), msgpack.Timestamp(1)]


def spoiled():
    """Each message with each of its fields wrong in each way, or missing."""
    for kind, fields in FIELDS.items():
        whole = {'v': 1, 't': kind, **fields}
        for name in whole:
            yield {key: value for key, value in whole.items() if key != name}
            for wrong in WRONG:
                yield {**whole, name: wrong}
            if isinstance(whole[name], list):
                row = whole[name][0]
                for inner in row:
                    yield {**whole, name: [{key: value for key, value
                                            in row.items() if key != inner}]}
                    for wrong in WRONG:
                        yield {**whole, name: [{**row, inner: wrong}]}
    for kind in ('welcome', 'revision', 'assignments-page', 'targets-page',
                 'verdict', 'error', '', 'x' * 300):
        yield {'v': 1, 't': kind}


@case('wrong types in every field of every message')
def _(s):
    s.subnet(20, '10.20.0.0/24', scanAgent=3)
    s.seen_row('10.0.0.5', ago(900))
    theirs = s.sql.rows('SELECT * FROM ipaddresses WHERE subnetId = 10')
    peer = s.hub.peer('site-b', 10)
    s.extra.append(peer.socket)
    before, count, kinds = s.rss(), 0, set()
    for message in spoiled():
        message = {**message, 'id': os.urandom(16)} if message.get(
            'id') == bytes(16) else message
        peer.send(message)
        count += 1
        answer = {'t': 'revision'}
        while answer['t'] == 'revision':  # which comes unasked
            assert peer.socket.poll(10000), f'no answer to {message}'
            answer = msgpack.unpackb(peer.socket.recv())
        kinds.add((answer['t'], answer.get('cause')))
    comment(f'{count} messages; answers: '
            + ', '.join(sorted(f'{kind} {cause or ""}'.strip()
                               for kind, cause in kinds)))
    assert ('error', 'bad-message') in kinds and s.hub.alive()
    equal(s.sql.rows('SELECT * FROM ipaddresses WHERE subnetId = 10'), theirs)
    assert s.rss() - before < 32 * (4 if SANITIZED else 1)
    s.rounds(s.peer())


@case('headers of four thousand million elements')
def _(s):
    peer = s.hub.peer('site-b', 10)
    s.extra.append(peer.socket)
    before, huge = s.rss(), b'\xff\xff\xff\xff'
    headers = [mark + huge for mark in (b'\xdd', b'\xdf', b'\xdb', b'\xc6',
                                        b'\xc9')]
    report = msgpack.packb({**s.report(20, '10.20.0.0/24').part([])})
    hosts = report.index(b'\xa5hosts') + 6
    for header in headers:
        for frame in (header, b'\x81' + header, b'\x81\xa1v' + header,
                      report[:hosts] + header,
                      report[:hosts] + b'\x91' + header,
                      report[:hosts] + b'\x91\x81\xa2ip' + header,
                      b'\x91' * 200000 + header):
            peer.socket.send(frame)
            equal(peer.wait('error')['cause'], 'bad-frame')
    grown = s.rss() - before
    assert grown < 16 * (4 if SANITIZED else 1), f'{grown} MiB more'
    s.rounds(s.peer())


@case('a clock of 1970 or 2100 moves nothing back and nothing ahead')
def _(s):
    s.subnet(20, '10.20.0.0/24', scanAgent=3)
    s.seen_row('10.20.0.5', ago(900), 20)
    seen = s.column('lastSeen', '10.20.0.5', 20)
    far = 4102444800000
    peer = s.peer('site-b')
    for when, off in ((0, 0), (0, -2**60), (-2**60, 0), (0, -far)):
        report = s.report(20, '10.20.0.0/24', started=when, off=off)
        verdict = peer.deliver(
            {**report.part([host('10.20.0.5', when), host('10.20.0.6', when)]),
             'finished': when})[0]
        equal(s.column('lastSeen', '10.20.0.5', 20), seen, f'{verdict}')
        peer.deliver(report.closing([('10.20.0.1', '10.20.0.254')], part=1))
    for when, off in ((far, 0), (far, far), (2**60, 2**60), (0, far)):
        report = s.report(20, '10.20.0.0/24', started=when, off=off)
        peer.deliver(
            {**report.part([host('10.20.0.5', when)]), 'finished': when})
        peer.deliver(report.closing([('10.20.0.1', '10.20.0.254')], part=1))
    ahead = s.sql.rows(
        'SELECT lastSeen FROM ipaddresses WHERE lastSeen > UTC_TIMESTAMP() '
        'UNION SELECT lastScan FROM subnets WHERE lastScan > UTC_TIMESTAMP() '
        'UNION SELECT lastDiscovery FROM subnets WHERE lastDiscovery > '
        'UTC_TIMESTAMP()')
    equal(ahead, [], 'times in the future')
    equal(s.count(10), 0)


def back(s, hub):
    """A scanner that connects anew until it is in."""
    found = []

    def connected():
        try:
            found.append(hub.peer('site-a', 0.5))
        except (TimeoutError, HubError, zmq.ZMQError):
            return False
        found[0].patience = PATIENCE
        s.extra.append(found[0].socket)
        return True

    until(connected, 'an honest scanner is back', 15)
    return found[0]


def start_limited(hub, limit):
    """Start a hub that may open so many descriptors."""
    popen = subprocess.Popen

    def limited(*args, **options):
        before = options['preexec_fn']

        def both():
            before()
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        return popen(*args, **{**options, 'preexec_fn': both})

    subprocess.Popen = limited
    try:
        hub.start(wait=False)
    finally:
        subprocess.Popen = popen
    hub.ready()


if __name__ == '__main__':
    sys.exit(harness.main(Hostile, long=True))

#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""The ways in which a hub could be left open or be brought down: wrong keys,
no keys, keys taken away, sizes, garbage; and how it starts, reloads and ends.
After each of them an honest scanner must still be served."""

import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True

import msgpack
import zmq
from zmq.utils.monitor import recv_monitor_message

import harness
from harness import (CODE_A, CODE_B, Stage, ago, case, decimal, equal, host,
                     until)
from peer import HubError, now_ms

EX_CONFIG = 78
GREETING = b'\xff' + bytes(8) + b'\x7f\x03\x01'
SHUT = 1.5  # seconds in which whoever is not let in hears nothing


class FailOpen(Stage):
    def honest(self):
        """The hub lives and serves who may come in."""
        assert self.hub.alive(), 'the hub died'
        self.sql.rows('DELETE FROM ipaddresses')
        peer = self.hub.peer('site-a')
        verdict = peer.deliver(self.report().part([host('10.0.0.200')]))[0]
        peer.socket.close()
        equal((verdict['result'], verdict['added']), ('applied', 1))

    def raw(self):
        sock = socket.create_connection(('127.0.0.1', self.hub.port), 5)
        sock.settimeout(10)
        self.extra.append(sock)
        return sock

    def dealer(self, **options):
        """A socket with options of the case's own, and its monitor."""
        sock = zmq.Context.instance().socket(zmq.DEALER)
        sock.linger, sock.reconnect_ivl = 0, -1
        for name, value in options.items():
            setattr(sock, name, value)
        monitor = sock.get_monitor_socket(zmq.EVENT_ALL)
        sock.connect(self.hub.endpoint)
        self.extra.append(sock)
        return sock, monitor

    def curve(self, name='site-a', **options):
        public, secret = self.hub.keys.get(name) or (
            key.decode() for key in zmq.curve_keypair())
        return self.dealer(**{
            'curve_serverkey': self.hub.public.encode(),
            'curve_publickey': public.encode(),
            'curve_secretkey': secret.encode(), **options})

    def shut_out(self, sock, monitor, event=None):
        """Nobody answers this socket; how its handshake ended."""
        before = self.tables()
        for message in ({'v': 1, 't': 'hello', 'now': now_ms(),
                         'version': 'x'},
                        self.report().part([host('10.0.0.66')])):
            try:
                sock.send(msgpack.packb(message), zmq.DONTWAIT)
            except zmq.Again:
                pass
        assert not sock.poll(int(SHUT * 1000)), sock.recv()
        equal(self.tables(), before)
        events = []
        while monitor.poll(0):
            told = recv_monitor_message(monitor)
            events.append((told['event'], told['value']))
        sock.disable_monitor()
        assert zmq.EVENT_HANDSHAKE_SUCCEEDED not in dict(events), events
        if event:
            assert event in events, events

    def starts_not(self, *words, status=EX_CONFIG):
        """The hub ends at once, and its log has these words."""
        mark = self.hub.log_mark()
        self.hub.start(wait=False)
        equal(self.hub.process.wait(harness.PATIENCE), status)
        self.hub.process = None
        for word in words:
            assert word in self.hub.log_from(mark), self.hub.log_from(mark)

    def held(self, message, peer='site-a'):
        """Send a report of 10.0.0.5 and hold the row that it writes to; the
        session to be ended."""
        other = self.database.session()
        self.extra.append(other)
        other.rows('BEGIN')
        other.rows("UPDATE ipaddresses SET note = 'held' WHERE ip_addr = "
                   f"'{decimal('10.0.0.5')}'")
        self.peer(peer).send(message)
        until(self.database.blocked, 'the hub waits for the lock', 10)
        return other

    def in_force(self, name, wanted=True):
        """Wait until the hub has taken up a change of its registry; that it
        does so by itself and soon is part of what is tested."""
        def handshake():
            sock, monitor = self.curve(name)
            while monitor.poll(5000):
                event = recv_monitor_message(monitor)['event']
                if event in (zmq.EVENT_HANDSHAKE_SUCCEEDED,
                             zmq.EVENT_HANDSHAKE_FAILED_AUTH):
                    break
            else:
                raise AssertionError('no handshake')
            sock.disable_monitor()
            sock.close()
            return event == zmq.EVENT_HANDSHAKE_SUCCEEDED
        until(lambda: handshake() == wanted, f'{name} in force: {wanted}', 3)


def cause_of(action, *args):
    try:
        answer = action(*args)
    except HubError as error:
        return str(error)
    raise AssertionError(f'no error but {answer}')


# --- who is not let in ------------------------------------------------------

@case('an unknown key gets a 400 and nothing else')
def _(s):
    s.shut_out(*s.curve('stranger'), event=(zmq.EVENT_HANDSHAKE_FAILED_AUTH,
                                            400))
    s.honest()


@case('no key at all (NULL) gets nowhere')
def _(s):
    s.shut_out(*s.dealer())
    s.honest()


@case('NULL with our ZAP domain gets nowhere')
def _(s):
    s.shut_out(*s.dealer(zap_domain=b'scanhub'))
    s.honest()


@case('PLAIN gets nowhere')
def _(s):
    s.shut_out(*s.dealer(plain_username=b'admin', plain_password=b'admin'))
    s.honest()


@case('a scanner that expects another hub key does not talk to us')
def _(s):
    wrong = zmq.curve_keypair()[0]
    s.shut_out(*s.curve(curve_serverkey=wrong))
    s.honest()


@case('another scanner\'s public key without its secret gets nowhere')
def _(s):
    secret = zmq.curve_keypair()[1]
    s.shut_out(*s.curve(curve_secretkey=secret))
    s.honest()


@case('the hub\'s own key lets nobody in')
def _(s):
    text = (s.hub.directory / 'hub.cert').read_text()
    secret = text.split('secret-key = "')[1][:40]
    s.shut_out(*s.curve(curve_publickey=s.hub.public.encode(),
                        curve_secretkey=secret.encode()))
    s.honest()


# --- the registry -----------------------------------------------------------

@case('a key that is removed while connected: revoked, nothing is written')
def _(s):
    s.hub.scanner('leaver', CODE_A)
    s.in_force('leaver')
    peer = s.peer('leaver')
    equal(peer.deliver(s.report().part([host('10.0.0.5')]))[0]['result'],
          'applied')
    before = s.tables()
    s.hub.revoke('leaver')
    until(lambda: s.hub.log_from().count('its session is over'), 'revoked', 5)
    equal(peer.wait('error')['cause'], 'revoked')
    peer.send(s.report().part([host('10.0.0.6')]))
    equal(peer.wait('error')['cause'], 'revoked')
    equal(s.tables(), before)
    s.shut_out(*s.curve('leaver'))
    s.honest()


@case('a key that is removed while its report waits: not committed')
def _(s):
    s.hub.scanner('leaver', CODE_A)
    s.in_force('leaver')
    s.seen_row('10.0.0.5', ago(900))
    before = s.tables()
    other = s.held(s.report().part([host('10.0.0.5'), host('10.0.0.6')]),
                   'leaver')
    s.hub.revoke('leaver')
    s.hub.reload()
    other.rows('ROLLBACK')
    equal(s.peer('leaver').wait('error')['cause'], 'revoked')
    time.sleep(0.3)
    equal(s.tables(), before)
    s.honest()


@case('a key that loses its code while its report waits: not committed')
def _(s):
    s.hub.scanner('mover', CODE_A)
    s.in_force('mover')
    s.seen_row('10.0.0.5', ago(900))
    before = s.tables()
    message = s.report().part([host('10.0.0.5'), host('10.0.0.6')])
    other = s.held(message, 'mover')
    s.hub.register('mover', s.hub.keys['mover'][0], CODE_B)
    s.hub.reload()
    other.rows('ROLLBACK')
    verdict = s.peer('mover').wait('verdict', id=message['id'])
    equal(verdict['result'], 'refused')
    equal(s.tables(), before)
    s.hub.revoke('mover')
    s.honest()


@case('a removed key does not take other waiting reports with it')
def _(s):
    s.hub.scanner('leaver', CODE_A)
    s.in_force('leaver')
    s.seen_row('10.0.0.5', ago(900))
    other = s.held(s.report().part([host('10.0.0.5')]))
    bad = s.report().part([host('10.0.0.6')])
    good = s.report().part([host('10.0.0.7')])
    s.peer('leaver').send(bad)
    s.peer().send(good)
    time.sleep(0.2)
    s.hub.revoke('leaver')
    s.hub.reload()
    other.rows('COMMIT')
    equal(s.peer().wait('verdict', id=good['id'])['result'], 'applied')
    equal(s.peer('leaver').wait('error')['cause'], 'revoked')
    equal([bool(s.columns('id', f'10.0.0.{at}')) for at in (6, 7)],
          [False, True])


@case('two files with one key: it lets nobody in, until one is gone')
def _(s):
    public, _ = s.hub.scanner('double', CODE_A)
    s.in_force('double')
    peer = s.peer('double')
    s.hub.register('double2', public, CODE_B)
    equal(peer.wait('error')['cause'], 'revoked')
    s.shut_out(*s.curve('double'), event=(zmq.EVENT_HANDSHAKE_FAILED_AUTH,
                                          400))
    s.honest()
    s.hub.revoke('double')
    s.in_force('double')
    peer = s.hub.peer('double')
    verdict = peer.deliver(s.report().part([host('10.0.0.5')]))[0]
    equal(verdict['cause'], 'subnet-not-assigned', 'it speaks for the other')
    s.hub.revoke('double2')


@case('2 KB of metadata in a registry file: it is let in')
def _(s):
    more = ''.join(f'    note{at} = "{"x" * 100}"\n' for at in range(20))
    s.hub.scanner('wordy', CODE_A, more=more)
    s.in_force('wordy')
    peer = s.peer('wordy')
    equal(peer.deliver(s.report().part([host('10.0.0.5')]))[0]['result'],
          'applied')
    s.hub.revoke('wordy')
    s.honest()


@case('registry files that are wrong let nobody in and do no harm')
def _(s):
    public = zmq.curve_keypair()[0].decode()
    texts = ['', 'curve\n', '\0' * 100, 'x' * 100000,
             f'curve\n    public-key = "{public}"\n',
             f'metadata\n    code = "{"x" * 33}"\ncurve\n    public-key = '
             f'"{public}"\n',
             f'metadata\n    code = "x"\ncurve\n    public-key = '
             f'"{public[:-1]}"\n',
             'metadata\n' + '    code = "x"\n' * 5000,
             f'metadata\n    name = "../x"\n    code = "x"\ncurve\n    '
             f'public-key = "{public}"\n']
    paths = []
    for at, text in enumerate(texts):
        path = s.hub.registry / f'bad{at}.cert'
        path.write_text(text)
        paths.append(path)
    (s.hub.registry / 'dir.cert').mkdir()
    os.mkfifo(s.hub.registry / 'fifo.cert')
    os.symlink('/dev/zero', s.hub.registry / 'zero.cert')
    s.hub.reload()
    s.honest()
    for path in paths:
        path.unlink()
    (s.hub.registry / 'dir.cert').rmdir()
    for name in ('fifo', 'zero'):
        (s.hub.registry / f'{name}.cert').unlink()
    s.hub.reload()
    s.honest()


# --- what comes in over the wire --------------------------------------------

def resident(hub):
    """KiB that the hub has in memory."""
    with open(f'/proc/{hub.process.pid}/status', encoding='ascii') as status:
        return next(int(line.split()[1]) for line in status
                    if line.startswith('VmRSS'))


@case('oversized frames before authentication: cut off, no memory taken')
def _(s):
    s.honest()
    before = resident(s.hub)
    for mechanism in (b'CURVE', b'NULL'):
        for flags in (2, 6):  # a long frame: message, command
            sock = s.raw()
            sock.sendall(GREETING[:11] + b'\x01' + mechanism.ljust(20, b'\0')
                         + bytes(32))
            sock.recv(64)
            sock.sendall(struct.pack('>BQ', flags, 300 << 20))
            try:
                for _ in range(64):
                    sock.sendall(bytes(1 << 20))
                raise AssertionError('64 MiB were taken')
            except OSError:
                pass
    grown = resident(s.hub) - before
    assert grown < 16 << 10, f'{grown} KiB more'
    s.honest()


@case('a frame over 1 MiB from a scanner ends its connection only')
def _(s):
    sock, _monitor = s.curve()
    sock.send(msgpack.packb({'v': 1, 't': 'hello', 'now': now_ms(),
                             'version': 'x'}))
    assert sock.poll(5000)
    equal(msgpack.unpackb(sock.recv())['t'], 'welcome')
    sock.send(bytes((1 << 20) + 1))
    assert not sock.poll(500)
    sock.disable_monitor()
    s.honest()


@case('garbage on the port')
def _(s):
    rng = random.Random(7)
    for text in (b'GET / HTTP/1.1\r\n\r\n', bytes(1000), b'\xff', GREETING,
                 rng.randbytes(5000), b'\xff' * 5000,
                 GREETING + b'CURVE' + bytes(15) + rng.randbytes(2000)):
        sock = s.raw()
        try:
            sock.sendall(text)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(4096):
                pass
        except OSError:
            pass
    s.honest()


@case('200 connections that say nothing keep nobody out')
def _(s):
    for _ in range(200):
        s.raw()
    s.honest()


@case('a message without hello is told so and not worked on')
def _(s):
    s.hub.scanner('fresh', CODE_A)
    s.in_force('fresh')
    before = s.tables()
    # Where another connection of the key is the session, the hub cannot know
    # whether this one is older than that.
    s.peer()
    for name, cause in (('fresh', 'no-hello'), ('site-a', 'superseded')):
        sock, _monitor = s.curve(name)
        sock.send(msgpack.packb(s.report().part([host('10.0.0.66')])))
        assert sock.poll(5000)
        answer = msgpack.unpackb(sock.recv())
        equal((answer['t'], answer['cause']), ('error', cause))
        sock.disable_monitor()
    equal(s.tables(), before)
    s.hub.revoke('fresh')
    s.honest()


@case('messages of several frames are refused')
def _(s):
    peer = s.peer()
    before = s.tables()
    part = msgpack.packb(s.report().part([host('10.0.0.66')]))
    for frames in ([b'', part], [part, b''], [part] * 3, [b''] * 100):
        peer.socket.send_multipart(frames)
        equal(peer.wait('error')['cause'], 'bad-frame')
    equal(s.tables(), before)
    s.honest()


@case('malformed messages are refused, the session goes on')
def _(s):
    peer = s.peer()
    whole = msgpack.packb(s.report().part([host('10.0.0.66')]))
    before = s.tables()
    for frame, causes in (
            (b'', ('bad-frame',)), (b'\xc1', ('bad-frame',)),
            (whole + b'\x00', ('bad-frame',)), (whole[:-1], ('bad-frame',)),
            (b'\xdd\xff\xff\xff\xff', ('bad-frame',)),
            (b'\xdf\x00\xff\xff\xff', ('bad-frame',)),
            (b'\x91' * 60, ('bad-frame',)),
            (msgpack.packb([1]), ('bad-frame', 'bad-message')),
            (msgpack.packb({'t': 'beat', 'now': 1}), ('bad-message',
                                                      'bad-version')),
            (msgpack.packb({'v': 2, 't': 'beat', 'now': 1}),
             ('bad-version',)),
            (msgpack.packb({'v': 1, 't': 'nonsense'}), ('unknown-type',)),
            (msgpack.packb({'v': 1, 't': 'welcome'}), ('unknown-type',)),
            (b'\x83\xa1v\x01\xa1v\x01\xa1t\xa4beat', ('bad-frame',
                                                      'bad-message'))):
        peer.socket.send(frame)
        cause = peer.wait('error')['cause']
        assert cause in causes, f'{frame[:40]}: {cause}'
    equal(s.tables(), before)
    equal(peer.deliver(s.report().part([host('10.0.0.5')]))[0]['result'],
          'applied')


@case('reports with fields that are missing or wrong are refused')
def _(s):
    peer = s.peer()
    before = s.tables()
    good = s.report().part([host('10.0.0.66')])
    wrong = [{'kind': 'all'}, {'cidr': '10.0.0.0'}, {'cidr': 5},
             {'hosts': {}}, {'hosts': [5]}, {'hosts': [{'seen': 1}]},
             {'hosts': [{'ip': bytes(6), 'seen': 1.5}]}, {'started': 'now'},
             {'part': -1}, {'part': 65536}, {'subnet': -1},
             {'off': None}, {'hosts': good['hosts'] * 4097}]
    for change in wrong:
        message = {**good, **change}
        peer.send(message)
        answer = msgpack.unpackb(peer.socket.recv()) \
            if peer.socket.poll(10000) else None
        assert answer, f'no answer to {str(change)[:60]}'
        assert answer['t'] == 'error' or answer['result'] == 'refused', \
            f'{str(change)[:60]}: {answer}'
    equal(s.tables(), before)
    s.honest()


@case('mutated reports: answered or dropped, never believed, never fatal')
def _(s):
    s.sql.rows("UPDATE subnets SET subnet = '1', mask = '32' WHERE id = 10")
    peer, rng = s.peer(), random.Random(11)
    whole = msgpack.packb(s.report().part(
        [host(f'10.0.0.{at}', name=f'h{at}', mac='02:00:00:00:00:01')
         for at in range(1, 20)]))
    for _ in range(400):
        frame = bytearray(whole)
        for _ in range(rng.randrange(1, 6)):
            frame[rng.randrange(len(frame))] = rng.randrange(256)
        peer.socket.send(bytes(frame[:rng.randrange(1, len(frame) + 1)]))
        while peer.socket.poll(0):
            peer.socket.recv()
    while peer.socket.poll(300):
        peer.socket.recv()
    equal(s.count(), 0)
    s.update('subnets', 10, subnet=decimal('10.0.0.0'), mask='24')
    s.honest()


@case('another scanner\'s routing id wins nothing')
def _(s):
    first, _m1 = s.curve('site-a', routing_id=b'victim')
    hello = msgpack.packb({'v': 1, 't': 'hello', 'now': now_ms(),
                           'version': 'x'})
    first.send(hello)
    assert first.poll(5000)
    equal(msgpack.unpackb(first.recv())['name'], 'site-a')
    second, _m2 = s.curve('site-b', routing_id=b'victim')
    report = s.report().part([host('10.0.0.66')])
    for message in (hello, msgpack.packb(report)):
        try:
            second.send(message, zmq.DONTWAIT)
        except zmq.Again:
            pass
    second.poll(1000)
    equal(s.count(), 0)
    good = s.report().part([host('10.0.0.5')])
    first.send(msgpack.packb(good))
    assert first.poll(5000), 'the first one is cut off'
    answer = msgpack.unpackb(first.recv())
    equal((answer['t'], answer['id'], answer['result']),
          ('verdict', good['id'], 'applied'))
    for sock in (first, second):
        sock.disable_monitor()
    s.honest()


@case('the newest session of a key wins, the older one is told')
def _(s):
    old, new = s.hub.peer(), s.hub.peer()
    equal(old.wait('error')['cause'], 'superseded')
    old.send(s.report().part([host('10.0.0.66')]))
    equal(old.wait('error')['cause'], 'superseded')
    equal(s.count(), 0)
    equal(new.deliver(s.report().part([host('10.0.0.5')]))[0]['result'],
          'applied')


# --- start ------------------------------------------------------------------

@case('no hub key, or one that others can read: it does not start')
def _(s):
    s.hub.stop()
    key = s.hub.directory / 'hub.cert'
    kept = key.rename(s.hub.directory / 'kept')
    s.starts_not('hub.cert', 'keygen')
    kept.rename(key)
    try:
        for mode in (0o644, 0o640, 0o604):
            key.chmod(mode)
            s.starts_not('hub.cert', 'open to group or')
    finally:
        key.chmod(0o600)
    shutil.copy(s.hub.directory / 'hub.cert.pub', kept)
    kept.chmod(0o600)
    text = key.read_text()
    try:
        key.write_text(kept.read_text())
        s.starts_not('hub.cert')
        other = zmq.curve_keypair()[0].decode()
        key.write_text(text.replace(s.hub.public, other))
        s.starts_not('hub.cert')
    finally:
        key.write_text(text)
        kept.unlink()
    s.hub.start()
    s.honest()


@case('no registry, or one that anybody may write to: it does not start')
def _(s):
    s.hub.stop()
    kept = s.hub.registry.rename(s.hub.directory / 'kept')
    s.starts_not('scanners', 'registry')
    kept.rename(s.hub.registry)
    s.hub.registry.chmod(0o777)
    try:
        s.starts_not('scanners', 'chmod o-w')
    finally:
        s.hub.registry.chmod(0o755)
    s.hub.start()
    s.honest()


@case('a registry that everybody may write to lets nobody in while it runs')
def _(s):
    s.hub.registry.chmod(0o777)
    try:
        s.in_force('site-a', False)
    finally:
        s.hub.registry.chmod(0o755)
    s.in_force('site-a')
    s.honest()


@case('a second hub on the same port or control socket does not start')
def _(s):
    same = s.new_hub('same-socket')
    other = s.new_hub('same-port')
    control = f'control: {s.hub.directory}/control.sock'
    for hub, old, new in (
            (same, f'control: {same.directory}/control.sock', control),
            (other, f'listen: {other.endpoint}', f'listen: {s.hub.endpoint}')):
        hub.write_config()
        text = hub.path.read_text()
        assert old in text
        write = hub.write_config
        hub.write_config = lambda write=write, text=text, old=old, new=new: \
            write(text.replace(old, new))
        hub.start(wait=False)
        try:
            assert hub.process.wait(harness.PATIENCE) in (69, 71), hub.process
            assert 'another scanhubd' in hub.log_from(), hub.log_from()
        finally:
            hub.stop()
    s.honest()


@case('-t tells whether a configuration is good, and starts nothing')
def _(s):
    def test():
        return subprocess.run([harness.SCANHUBD, '-t', '--config',
                               s.hub.path], capture_output=True, text=True,
                              timeout=harness.PATIENCE, check=False)
    done = test()
    equal(done.returncode, 0, done.stderr)
    assert s.hub.public in done.stdout, done.stdout
    s.hub.write_config('hub:\n  lisen: x\n')
    try:
        done = test()
        equal(done.returncode, EX_CONFIG)
        assert ':2:' in done.stderr and 'lisen' in done.stderr, done.stderr
    finally:
        s.hub.write_config()
    s.honest()


@case('without a database it starts, tells scanners to wait, and goes on',
      long=True)
def _(s):
    s.hub.stop()
    s.database.stop()
    message = s.report().part([host('10.0.0.5')])
    try:
        s.hub.start(wait=False)
        done = s.hub.ctl('ping', '--wait', '1', check=False)
        equal(done.returncode, 75, done.stderr)
        s.peer().send(message)
        verdict = s.peer().wait('verdict')
        equal((verdict['result'], verdict['cause']),
              ('retry', 'database-unavailable'))
        equal(cause_of(s.peer().assignments), 'not-ready')
    finally:
        s.database.start()
    s.hub.ready()
    equal(s.peer().deliver(message)[0]['result'], 'applied')
    equal(s.count(), 1)


@case('a database that goes and comes back: nothing is lost',
      long=True)
def _(s):
    s.peer()
    s.database.stop()
    message = s.report().part([host('10.0.0.5')])
    try:
        s.peer().send(message)
        verdict = s.peer().wait('verdict')
        equal((verdict['result'], verdict['cause']),
              ('retry', 'database-unavailable'))
    finally:
        s.database.start()
    s.hub.ready()
    equal(s.peer().deliver(message)[0]['result'], 'applied')
    equal(s.count(), 1)


# --- reload and end ---------------------------------------------------------

@case('SIGHUP with a broken configuration: the old one stays')
def _(s):
    s.hub.policy('policy: {hostname: never}')
    for text in ('policy: {hostname: follow}\nhub: [\n',
                 'policy: {hostname: follow, nonsense: 1}\n',
                 'policy: {hostname: sometimes}\n', ''):
        s.sql.rows('DELETE FROM ipaddresses')
        s.seen_row('10.0.0.5', ago(900))
        s.hub.write_config(text or 'log_level: loud\n')
        mark = s.hub.log_mark()
        os.kill(s.hub.process.pid, signal.SIGHUP)
        until(lambda: 'not reloaded' in s.hub.log_from(mark), 'the refusal',
              10)
        s.applied(host('10.0.0.5', name='x'))
        equal(s.column('hostname', '10.0.0.5'), None)
    s.hub.write_config()
    s.honest()


@case('SIGHUP with a changed port or key: refused as a whole')
def _(s):
    s.hub.policy('policy: {hostname: never}')
    s.seen_row('10.0.0.5', ago(900))
    text = s.hub.path.read_text()
    try:
        s.hub.write_config(
            text.replace(s.hub.endpoint, 'tcp://127.0.0.1:1').replace(
                'hostname: never', 'hostname: fill'))
        mark = s.hub.log_mark()
        os.kill(s.hub.process.pid, signal.SIGHUP)
        until(lambda: 'hub.listen' in s.hub.log_from(mark), 'refusal', 10)
        s.applied(host('10.0.0.5', name='x'))
        equal(s.column('hostname', '10.0.0.5'), None)
    finally:
        s.hub.write_config()


@case('SIGHUP with a good configuration: the new one is in force')
def _(s):
    s.hub.policy('policy: {hostname: never}')
    s.seen_row('10.0.0.5', ago(900))
    s.applied(host('10.0.0.5', name='x'))
    equal(s.column('hostname', '10.0.0.5'), None)
    s.hub.config['policy'] = 'policy: {hostname: fill}'
    s.hub.write_config()
    mark = s.hub.log_mark()
    os.kill(s.hub.process.pid, signal.SIGHUP)
    until(lambda: 'ok reloaded' in s.hub.log_from(mark), 'the reload', 10)
    s.applied(host('10.0.0.5', name='x'))
    equal(s.column('hostname', '10.0.0.5'), 'x')


@case('a database setting that changed is in force after SIGHUP, or refused')
def _(s):
    text = s.hub.path.read_text()
    try:
        s.hub.write_config(text.replace(
            f'user: {s.database.env["DB_USER"]}', 'user: nobody'))
        done = s.hub.ctl('reload', check=False)
        if done.returncode == 0:
            s.hub.ctl('ping')
            verdict = s.hosts(host('10.0.0.5'))
            assert verdict['result'] == 'retry', \
                'reload said ok, but the old account is still used'
    finally:
        s.hub.write_config()
        s.hub.ctl('reload', check=False)


@case('SIGTERM: the report at hand is finished and answered')
def _(s):
    s.seen_row('10.0.0.5', ago(900))
    message = s.report().part([host('10.0.0.5'), host('10.0.0.6')])
    other = s.held(message)
    late = s.report().part([host('10.0.0.7')])
    mark = s.hub.log_mark()
    os.kill(s.hub.process.pid, signal.SIGTERM)
    until(lambda: 'stopping' in s.hub.log_from(mark), 'it stops', 10)
    time.sleep(0.2)
    s.peer().send(late)
    verdict = s.peer().wait('verdict', id=late['id'])
    equal((verdict['result'], verdict['cause']), ('retry', 'stopping'))
    other.rows('COMMIT')
    equal(s.peer().wait('verdict', id=message['id'])['result'], 'applied')
    equal(s.hub.process.wait(harness.PATIENCE), 0)
    s.hub.stop()
    equal(s.count(), 2)


@case('SIGKILL: the report is not half there, and the hub comes back')
def _(s):
    s.seen_row('10.0.0.5', ago(900))
    before = s.tables()
    message = s.report().part([host('10.0.0.5'), host('10.0.0.6')])
    other = s.held(message)
    s.hub.process.kill()
    s.hub.process.wait()
    s.hub.process = None
    other.rows('ROLLBACK')
    equal(s.tables(), before)
    s.hub.start()
    equal(s.peer().deliver(message)[0]['added'], 1)


if __name__ == '__main__':
    sys.exit(harness.main(FailOpen))

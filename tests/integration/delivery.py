#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""A report's parts come once in effect: in any order, doubled, again after the
hub died, late; and whoever waits for the database waits for seconds."""

import itertools
import os
import random
import signal
import socket
import sys
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True

import harness
from database_stage import Trouble
from harness import ago, case, decimal, equal, host, until, wall
from peer import Peer

WHOLE = [('10.0.0.1', '10.0.0.254')]


# --- the same rows ---------------------------------------------------------------

def rows(s):
    """What is in the tables, but for what follows the order: ids, and the time
    in a note, which is that of the sighting that made the row."""
    return (s.sql.rows('SELECT subnetId, ip_addr, lastSeen, hostname, mac, '
                       'state, description, LEFT(note, 28) FROM ipaddresses '
                       'ORDER BY subnetId, ip_addr + 0'), s.times())


def scan(s):
    """Four parts and the closing one of a scan, with rows before it."""
    s.sql.rows('UPDATE settings SET updateTags = 1')
    started = ago(60)
    for last in (5, 6, 61, 200):
        s.seen_row(f'10.0.0.{last}', ago(900), state=1 if last == 5 else 2)
    report = s.report(started=started)
    # The last three addresses of a part are in the next one, too, later.
    parts = [report.part([
        host(f'10.0.0.{last}', started + number * 1000, name=f'n{last}.x',
             mac=f'02:00:00:00:00:{last:02x}')
        for last in range(number * 30, number * 30 + 33) if last], number)
        for number in range(4)]
    return parts, report.closing(WHOLE, 4, up=122)


def deliver(s, messages):
    """One after the other, but all sent before the first verdict."""
    for message in messages:
        s.peer().send(message)
    for message in messages:
        verdict = s.peer().wait('verdict')
        equal(verdict['result'], 'applied', f'verdict {verdict}')


@case('four parts in every order, the closing part doubled: the same rows')
def _(s):
    parts, closing = scan(s)
    before = 'CREATE TABLE before_it AS SELECT * FROM ipaddresses'
    s.sql.rows(before)
    wanted = None
    try:
        for order in itertools.permutations(parts):
            s.sql.rows('DELETE FROM ipaddresses')
            s.sql.rows('INSERT INTO ipaddresses SELECT * FROM before_it')
            s.update('subnets', 10, lastScan=None, lastDiscovery=None)
            deliver(s, order)
            for _ in range(2):
                deliver(s, [closing])
            found = rows(s)
            wanted = wanted or found
            equal(found, wanted, str([part['part'] for part in order]))
    finally:
        s.sql.rows('DROP TABLE before_it')
    equal(len(wanted[0]), 123)
    equal(s.columns('state, lastSeen', '10.0.0.61'),
          ('2', wall(parts[2]['hosts'][0]['seen'])))
    equal(s.column('state', '10.0.0.200'), '1', 'who was silent')


@case('parts that are doubled and come late: nothing changes, no id is burnt')
def _(s):
    parts, closing = scan(s)
    deliver(s, parts)
    deliver(s, [closing])
    # The next scan is over, and somebody deleted a row.
    later = s.report(started=ago(20))
    deliver(s, [later.part([host('10.0.0.5', ago(10))])])
    deliver(s, [later.closing(WHOLE, 1, up=1)])
    s.sql.rows(f"DELETE FROM ipaddresses WHERE ip_addr = "
               f"'{decimal('10.0.0.7')}'")
    before, ident = s.tables(), s.next_id()
    mixed = [*parts, *parts, closing, closing]
    random.Random(4).shuffle(mixed)
    for message in mixed:
        deliver(s, [message])
    equal((s.tables(), s.next_id()), (before, ident))


class Valve:
    """Between a scanner and the hub; can hold back what the hub says."""

    def __init__(self, port):
        self.port, self.shut = port, threading.Event()
        self.server = socket.create_server(('127.0.0.1', 0))
        self.endpoint = 'tcp://127.0.0.1:%d' % self.server.getsockname()[1]
        self.open = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        try:
            while True:
                near = self.server.accept()[0]
                far = socket.create_connection(('127.0.0.1', self.port))
                self.open += [near, far]
                for pair, back in (((near, far), False), ((far, near), True)):
                    threading.Thread(target=self.copy, args=(*pair, back),
                                     daemon=True).start()
        except OSError:
            pass

    def copy(self, source, sink, back):
        try:
            while data := source.recv(65536):
                if not (back and self.shut.is_set()):
                    sink.sendall(data)
        except OSError:
            pass

    def close(self):
        for one in (self.server, *self.open):
            one.close()


@case('the hub is killed between COMMIT and verdict: sent again, nothing moves')
def _(s):
    parts, closing = scan(s)
    for message in (parts[0], closing):
        valve = Valve(s.hub.port)
        s.extra.append(valve)
        peer = Peer(valve.endpoint, s.hub.public, *s.hub.keys['site-a'],
                    patience=harness.PATIENCE)
        valve.shut.set()
        start = rows(s)
        peer.send(message)
        until(lambda: rows(s) != start, 'the COMMIT')
        s.hub.process.kill()
        s.hub.process.wait()
        assert not peer.socket.poll(100), 'a verdict came through'
        peer.socket.close()
        s.hub.process = None
        s.hub.start()
        before, ident = s.tables(), s.next_id()
        deliver(s, [message])
        equal((s.tables(), s.next_id()), (before, ident))


# --- nobody waits for ever --------------------------------------------------------

def stop_threads(pid):
    """SIGSTOP, and wait for the last of its threads to heed it."""
    os.kill(pid, signal.SIGSTOP)
    tasks = Path(f'/proc/{pid}/task')
    until(lambda: all((task / 'stat').read_text().rsplit(')', 1)[1][1] in 'TtZ'
                      for task in tasks.iterdir()), 'the server stands')


@case('a server that is stuck: nobody waits for ever, the hub can be stopped')
def _(s):
    for subnet in range(11, 15):
        s.subnet(subnet, f'10.0.{subnet - 10}.0/24')
    messages = [s.report(subnet, f'10.0.{subnet - 10}.0/24').part(
        [host(f'10.0.{subnet - 10}.5')]) for subnet in range(10, 15)]
    s.applied(host('10.0.0.7'))
    peer, pid = s.peer(), int(s.database.env['DB_PID'])
    try:
        stop_threads(pid)
        begun = time.monotonic()
        for message in messages:
            peer.send(message)
        peer.send({'v': 1, 't': 'beat', 'now': harness.now_ms()})
        peer.wait('beat')
        assert time.monotonic() - begun < 5, 'the beat waited'
        for message in messages:
            verdict = peer.wait('verdict')
            equal((verdict['result'], verdict['cause']),
                  ('retry', 'database-unavailable'))
        took = time.monotonic() - begun
        assert took < 25, f'the verdicts took {took:.1f} s'
        harness.comment(f'the last verdict came after {took:.1f} s')
        s.not_ready()
        for message in messages:
            peer.send(message)
        begun = time.monotonic()
        equal(s.hub.stop(), 0)
        took = time.monotonic() - begun
        assert took < 25, f'stopping took {took:.1f} s'
        harness.comment(f'the hub ended after {took:.1f} s')
    finally:
        os.kill(pid, signal.SIGCONT)
    s.hub.start()
    for message in messages:
        s.again(message)
    equal(s.sql.value('SELECT COUNT(*) FROM ipaddresses'), '6')


@case('a table is locked for long: nobody waits for ever, then applied')
def _(s):
    for subnet in range(11, 16):
        s.subnet(subnet, f'10.0.{subnet - 10}.0/24')
    messages = [s.report(subnet, f'10.0.{subnet - 10}.0/24').part(
        [host(f'10.0.{subnet - 10}.5')]) for subnet in range(10, 16)]
    s.applied(host('10.0.0.7'))
    reader, writer = s.database.session(), s.database.session()
    s.extra += [reader, writer]
    reader.rows('BEGIN')
    reader.rows('SELECT COUNT(*) FROM ipaddresses')
    # Waits for the reader, and everybody waits behind it.
    writer.process.stdin.write('ALTER TABLE ipaddresses ADD custom_b INT;\n')
    writer.process.stdin.flush()
    try:
        until(lambda: s.sql.rows(
            'SELECT 1 FROM information_schema.processlist WHERE state = '
            "'Waiting for table metadata lock'"), 'the lock', 10)
        begun = time.monotonic()
        for message in messages:
            s.peer().send(message)
        for _ in messages:
            verdict = s.peer().wait('verdict')
            equal((verdict['result'], verdict['cause'], verdict['delay']),
                  ('retry', 'database-busy', 1000))
        took = time.monotonic() - begun
        assert took < 40, f'the verdicts took {took:.1f} s'
        harness.comment(f'the last verdict came after {took:.1f} s')
        s.not_ready('error 1205')
    finally:
        reader.rows('COMMIT')
        writer.rows('ALTER TABLE ipaddresses DROP custom_b')
    for message in messages:
        s.again(message)
    s.ready()


if __name__ == '__main__':
    sys.exit(harness.main(Trouble, long=True))

#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""A database that is slow or stands still, and five hundred scanners that go
on reporting: the hub says "later" and does not grow, and what was put off is
all there in the end."""

import heapq
import os
import random
import re
import resource
import signal
import socket
import sys
import threading
import time

sys.dont_write_bytecode = True

import msgpack
import zmq

import harness
from harness import (CODE_A, Stage, ago, case, comment, equal, host, until,
                     wall)
from peer import now_ms
import http_stage

SCANNERS = 500
REPORTS = 2      # of each, at a time
WORKERS = 2
HOSTS = 254
CEILING_MB = 200 # of the hub's memory, whatever they send
SANITIZED = harness.BUILD.joinpath('config.status').exists() and bool(
    re.search('--enable-sanitizers',
              harness.BUILD.joinpath('config.status').read_text()))
# Parts: a queue and a batch for each worker, and verdicts on their way.
IN_HUB = WORKERS * (64 + 16) + 32
STOPPED_S = 12   # longer than any time-out of the hub's


def network(number):
    return f'10.{40 + number // 250}.{number % 250}'


class Scanner:
    """A socket with a key of its own that has parts to deliver."""

    def __init__(self, hub, number):
        self.number = number
        public, secret = hub.keys[f'crowd-{number}']
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.linger, self.socket.reconnect_ivl = 0, -1
        self.socket.immediate = 1
        self.socket.curve_serverkey = hub.public.encode()
        self.socket.curve_publickey = public.encode()
        self.socket.curve_secretkey = secret.encode()
        self.socket.connect(hub.endpoint)

    def report(self, seen):
        """A full /24 in one part, each host with a name and a MAC."""
        base = network(self.number)
        report = harness.Report(1000 + self.number, f'{base}.0/24',
                                started=seen)
        return report.part([host(
            f'{base}.{last}', seen, name=f'host-{last}.site-{self.number}.'
            'example.org', mac=f'02:00:{self.number >> 8:02x}:'
            f'{self.number & 255:02x}:00:{last:02x}')
            for last in range(1, HOSTS + 1)])


class Crowd:
    """All scanners in one loop, as many programs of their own would be."""

    def __init__(self, hub):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, hard), hard))
        zmq.Context.instance().set(zmq.MAX_SOCKETS, 4 * SCANNERS)
        self.poller = zmq.Poller()
        self.scanners = {}
        self.causes = {}
        self.open = {}     # (id, part) -> scanner, frame, when it was sent
        self.waiting = []  # heap of when, tie, key, scanner, frame
        self.slowest = 0.0 # seconds from sending to any verdict
        self.done = 0
        self.dice = random.Random(11)
        for number in range(SCANNERS):
            scanner = Scanner(hub, number)
            self.scanners[scanner.socket] = scanner
            self.poller.register(scanner.socket, zmq.POLLIN)
        hello = msgpack.packb({'v': 1, 't': 'hello', 'now': now_ms(),
                               'version': 'pressure.py'})
        for socket in self.scanners:
            socket.sndtimeo = 20000
            socket.send(hello)
        welcomes = 0
        deadline = time.monotonic() + 30
        while welcomes < SCANNERS and time.monotonic() < deadline:
            for socket, _ in self.poller.poll(1000):
                welcomes += msgpack.unpackb(socket.recv())['t'] == 'welcome'
        equal(welcomes, SCANNERS, 'welcomes')

    def close(self):
        for socket in self.scanners:
            socket.close()

    def push(self, scanner, message):
        frame = msgpack.packb(message)
        self.waiting.append((0, self.dice.random(),
                             (message['id'], message['part']), scanner, frame))

    def send_due(self):
        now = time.monotonic()
        while self.waiting and self.waiting[0][0] <= now:
            _, _, key, scanner, frame = heapq.heappop(self.waiting)
            scanner.socket.send(frame)
            self.open[key] = scanner, frame, now

    def take(self, message):
        if message['t'] != 'verdict':
            return
        key = message['id'], message['part']
        if key not in self.open:
            return
        scanner, frame, sent = self.open.pop(key)
        now = time.monotonic()
        self.slowest = max(self.slowest, now - sent)
        word = message.get('cause', message['result'])
        self.causes[word] = self.causes.get(word, 0) + 1
        if message['result'] == 'applied':
            self.done += 1
        elif message['result'] == 'retry':
            delay = message['delay'] / 1000 * self.dice.uniform(1, 1.5)
            heapq.heappush(self.waiting, (now + delay, self.dice.random(), key,
                                          scanner, frame))
        else:
            raise AssertionError(f'verdict {message}')

    def run(self, seconds, enough=lambda: False, each=lambda: None):
        """Deliver for a while or until it is enough."""
        heapq.heapify(self.waiting)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not enough():
            self.send_due()
            for socket, _ in self.poller.poll(50):
                try:
                    while True:
                        self.take(msgpack.unpackb(socket.recv(zmq.DONTWAIT)))
                except zmq.Again:
                    pass
            each()

    def oldest(self):
        """Seconds that the longest unanswered part has waited for."""
        now = time.monotonic()
        return max((now - sent for _, _, sent in self.open.values()),
                   default=0)


class Pressure(Stage):
    hub_config = {'workers': WORKERS}

    def new_hub(self, name, **config):
        hub = super().new_hub(name, **config)
        for number in range(SCANNERS if name == 'hub' else 0):
            hub.scanner(f'crowd-{number}', CODE_A)
        return hub

    def memory(self, what='VmRSS', hub=None):
        """Of the hub, in MB."""
        pid = (hub or self.hub).process.pid
        with open(f'/proc/{pid}/status') as status:
            return int(re.search(rf'{what}:\s+(\d+)', status.read())[1]) // 1024

    def subnets(self):
        self.sql.rows(
            'INSERT INTO subnets (id, subnet, mask, sectionId, scanAgent, '
            'pingSubnet, discoverSubnet) VALUES ' + ', '.join(
                f"({1000 + number}, '{harness.decimal(network(number) + '.0')}'"
                f", '24', 1, 2, 1, 1)" for number in range(SCANNERS)))

    def crowd(self):
        self.subnets()
        crowd = Crowd(self.hub)
        self.extra.append(crowd)
        return crowd

    def rows_are(self, seen, count=SCANNERS):
        """Every subnet's every host is there, with the newest time."""
        got = self.sql.rows(
            'SELECT COUNT(*), COUNT(DISTINCT subnetId, ip_addr), '
            'MIN(lastSeen), MAX(lastSeen), SUM(hostname LIKE '
            "CONCAT('%.site-', subnetId - 1000, '.example.org')), "
            'SUM(mac IS NOT NULL) FROM ipaddresses')
        all_ = str(count * HOSTS)
        equal(got, [(all_, all_, wall(seen), wall(seen), all_, all_)])

    def stop_database(self):
        pid = int(self.database.env['DB_PID'])
        os.kill(pid, signal.SIGSTOP)
        self.extra.append(Continued(pid))
        return pid


class Continued:
    def __init__(self, pid):
        self.pid = pid

    def close(self):
        os.kill(self.pid, signal.SIGCONT)


def shard(subnet, workers=WORKERS):
    """hub_pool_submit's choice."""
    return (subnet * 0x9e3779b97f4a7c15 % 2**64 >> 32) % workers


# --- all of them at a database that stands still ---------------------------------

@case('five hundred scanners push full /24s at a stopped database')
def _(s):
    crowd = s.crowd()
    begun = ago(600)
    before = s.memory()
    pid = s.stop_database()
    for scanner in crowd.scanners.values():
        for at in range(REPORTS):
            crowd.push(scanner, scanner.report(begun + 1000 * at))
    sizes = [len(one[4]) for one in crowd.waiting]
    peak = [0]
    oldest = [0.0]

    def watch():
        peak[0] = max(peak[0], s.memory())
        oldest[0] = max(oldest[0], crowd.oldest())
    crowd.run(STOPPED_S, each=watch)
    comment(f'{len(sizes)} parts of {sum(sizes) // len(sizes)} bytes from '
            f'{SCANNERS} scanners; memory before {before} MB, at most '
            f'{peak[0]} MB (VmHWM {s.memory("VmHWM")} MB)')
    comment(f'in {STOPPED_S} s: verdicts {crowd.causes}, '
            f'{len(crowd.open)} parts unanswered, longest {oldest[0]:.1f} s')
    if not SANITIZED: # ASan keeps what is freed
        assert peak[0] < CEILING_MB, f'the hub grew to {peak[0]} MB'
    equal(crowd.done, 0, 'parts applied')
    assert len(crowd.open) <= IN_HUB, f'{len(crowd.open)} parts are in the hub'
    assert crowd.causes.get('overloaded', 0) > len(sizes) - IN_HUB
    assert oldest[0] < 30, f'a part had no verdict for {oldest[0]:.0f} s'

    os.kill(pid, signal.SIGCONT)
    resumed = time.monotonic()
    crowd.run(80, lambda: crowd.done == len(sizes), watch)
    comment(f'all applied {time.monotonic() - resumed:.1f} s after it went on; '
            f'memory at most {peak[0]} MB, now {s.memory()} MB')
    equal(crowd.done, len(sizes), 'parts applied')
    s.rows_are(begun + 1000 * (REPORTS - 1))


@case('tables that somebody has locked: later, and then all of it')
def _(s):
    crowd = s.crowd()
    other = s.database.session()
    s.extra.append(other)
    begun = ago(60)
    scanners = list(crowd.scanners.values())[:180]
    other.rows('LOCK TABLES ipaddresses WRITE')
    for scanner in scanners:
        crowd.push(scanner, scanner.report(begun))
    oldest = [0.0]

    def watch():
        oldest[0] = max(oldest[0], crowd.oldest())
    crowd.run(7, each=watch)
    equal(crowd.done, 0, 'parts applied')
    assert len(crowd.open) <= IN_HUB, f'{len(crowd.open)} parts are in the hub'
    comment(f'while locked: verdicts {crowd.causes}, {len(crowd.open)} '
            'unanswered')
    other.rows('UNLOCK TABLES')
    crowd.run(60, lambda: crowd.done == len(scanners), watch)
    equal(crowd.done, len(scanners), 'parts applied')
    comment(f'longest wait for a verdict {oldest[0]:.1f} s')
    s.rows_are(begun, len(scanners))


@case('one worker that is stuck in the database does not hold up the other')
def _(s):
    crowd = s.crowd()
    other = s.database.session()
    s.extra.append(other)
    by_worker = {worker: [one for one in crowd.scanners.values()
                          if shard(1000 + one.number) == worker]
                 for worker in range(WORKERS)}
    stuck, *beside = by_worker[0][:12]
    free = by_worker[1][:60]
    other.rows('BEGIN')
    other.rows('SELECT id FROM subnets WHERE id = '
               f'{1000 + stuck.number} FOR UPDATE')
    begun = ago(60)
    crowd.push(stuck, stuck.report(begun))
    crowd.run(10, lambda: s.database.blocked())
    assert s.database.blocked(), 'the worker waits for the lock'

    crowd.slowest = 0.0
    for scanner in free + beside:
        crowd.push(scanner, scanner.report(begun))
    numbers = {1000 + one.number for one in free}
    started = time.monotonic()

    def free_done():
        return int(s.sql.value(
            'SELECT COUNT(DISTINCT subnetId) FROM ipaddresses WHERE subnetId '
            f'IN ({", ".join(map(str, numbers))})')) == len(free)
    crowd.run(20, free_done)
    assert free_done(), 'the other worker\'s reports'
    took = time.monotonic() - started
    comment(f'{len(free)} reports of the other worker in {took:.1f} s while '
            'one row was locked')
    assert crowd.done >= len(free) - WORKERS * 16
    assert took < 4 * (4 if SANITIZED else 1), f'it took {took:.1f} s'
    # Those behind the locked row get their turn as well, or "later".
    crowd.run(40, lambda: crowd.done == len(free) + len(beside))
    equal(crowd.done, len(free) + len(beside), 'all but the locked one')
    comment(f'slowest verdict of its own worker {crowd.slowest:.1f} s')
    other.rows('COMMIT')
    crowd.run(30, lambda: crowd.done == len(free) + len(beside) + 1)
    s.rows_are(begun, len(free) + len(beside) + 1)


# --- the HTTP door ---------------------------------------------------------------

POSTS = 200
PER_ADDRESS = 40 # the door lets 64 connections in from each


def post(hub, number, answers):
    base = network(number)
    body = http_stage.report(*(http_stage.entry(
        f'{base}.{last}', subnet=None, hostname=f'host-{last}.site-{number}.'
        'example.org') for last in range(1, HOSTS + 1)), subnet=f'{base}.0/24')
    source = f'127.0.0.{2 + number // PER_ADDRESS}', 0
    with socket.create_connection(('127.0.0.1', hub.http_port), 60,
                                  source) as sock:
        sock.sendall(http_stage.request(body))
        answers[number] = http_stage.Answer(http_stage.read_all(sock)).status


@case('reports over HTTP at a stopped database go to the spool')
def _(s):
    if not (harness.BUILD / 'shim' / 'scanhub-shim').exists():
        raise harness.Skip('built without the HTTP door')
    hub = s.new_hub(f'http-{time.monotonic_ns()}', http=http_stage.HTTP)
    s.extra.append(hub)
    hub.start()
    s.agent(http_stage.AGENT, 'old', http_stage.CODE)
    s.subnets()
    s.sql.rows(f'UPDATE subnets SET scanAgent = {http_stage.AGENT} WHERE id '
               f'>= 1000 AND id < {1000 + POSTS}')
    before = s.memory(hub=hub)
    pid = s.stop_database()
    answers = {}
    threads = [threading.Thread(target=post, args=(hub, number, answers))
               for number in range(POSTS)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    peak = 0
    while any(thread.is_alive() for thread in threads):
        peak = max(peak, s.memory(hub=hub))
        time.sleep(0.05)
    comment(f'{POSTS} posts answered in {time.monotonic() - begun:.1f} s; '
            f'memory before {before} MB, at most {peak} MB')
    equal({status: list(answers.values()).count(status)
           for status in answers.values()}, {200: POSTS})
    if not SANITIZED:
        assert peak < CEILING_MB, f'the hub grew to {peak} MB'
    os.kill(pid, signal.SIGCONT)
    until(lambda: s.sql.value('SELECT COUNT(*) FROM ipaddresses')
          == str(POSTS * HOSTS), 'all rows', 60)


if __name__ == '__main__':
    sys.exit(harness.main(Pressure, long=True))

#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Hubs on the three nodes of a MariaDB Galera cluster: the same reports to
all of them, nodes that are killed, come back or lose their cluster meanwhile,
and the same rows on every node in the end.

Takes a minute and real servers, so it is only played with SCANHUB_LONG=1 in
the environment, as ./check has it."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True

import harness
from harness import (CODE_A, Stage, ago, case, comment, equal, host, until,
                     wall)
from crowd import (crowd_reports, crowd_rows, crowd_stage,
                   crowd_wanted, deliver_all, register_crowd, same_rows)

GALERA = harness.SOURCE / 'scripts' / 'private-galera'
SCRIPTS = harness.BUILD / 'tests' / 'galera-scripts'
NODES = (1, 2, 3)
START_PATIENCE = 120


class Missing(Exception):
    """Galera cannot be had here."""


class Node:
    """One of the cluster's servers, with what Hub and Session want to know of
    a database."""

    def __init__(self, directory, number):
        self.directory = directory
        self.number = number
        self.root = None
        self.refresh()

    def refresh(self):
        """After a start."""
        text = (self.directory / str(self.number) / 'db.env').read_text()
        self.env = dict(re.findall(r'^(\w+)=(.*)$', text, re.M))
        if self.root:
            self.root.close()
        self.root = harness.Session(self)
        # Whoever reads wants to see what other nodes have committed.
        self.root.rows('SET SESSION wsrep_sync_wait = 1')

    def signal(self, number):
        os.kill(int(self.env['DB_PID']), number)

    def status(self, name):
        return self.root.row(f"SHOW STATUS LIKE 'wsrep_{name}'")[1]

    def kill(self):
        galera('kill', str(self.directory), str(self.number))

    def start(self):
        galera('start-node', str(self.directory), str(self.number))
        self.refresh()

    def session(self):
        return harness.Session(self)


def galera(*arguments):
    """Run the script; 77 is how it says that it cannot."""
    done = subprocess.run([str(GALERA), *arguments], text=True, check=False,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=START_PATIENCE)
    if done.returncode == 77:
        raise Missing(done.stderr.strip().split('\n')[-1])
    if done.returncode:
        raise AssertionError(f'private-galera {" ".join(arguments)}: '
                             f'{done.stderr.strip()}')


class Cluster(Stage):
    """'hub' and 'database' are those of node 1."""

    hub_config = {'workers': 3}

    def open(self):
        galera('fetch', str(SCRIPTS))
        # Its own place: the servers are nobody's and have to get there.
        self.place = Path(tempfile.mkdtemp('', 'scanhub-galera.', '/tmp'))
        self.place.chmod(0o711)
        begun = time.monotonic()
        self.server = subprocess.Popen(
            [str(GALERA), 'serve', str(self.place / 'c'), str(SCRIPTS)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            preexec_fn=harness.die_with_us)
        if self.server.stdout.readline() != 'ready\n':
            raise RuntimeError('the cluster did not start')
        comment(f'the cluster was up after {time.monotonic() - begun:.1f} s')
        self.nodes = [Node(self.place / 'c', number) for number in NODES]
        self.database = self.nodes[0]
        self.reset()
        self.hubs = []
        for node in self.nodes:
            self.database = node
            hub = self.new_hub(f'hub-{node.number}')
            register_crowd(hub, self.hubs[0] if self.hubs else None)
            self.hubs.append(hub)
            hub.start()
        self.hub, self.database = self.hubs[0], self.nodes[0]

    def close(self):
        self.end_case()
        status = 0
        for hub in getattr(self, 'hubs', ()):
            status = status or (hub.stop() if hub.alive() else 1)
        for node in getattr(self, 'nodes', ()):
            node.root.close()
        if hasattr(self, 'server'):
            harness.end(self.server, START_PATIENCE)
            shutil.rmtree(self.place, ignore_errors=True)
        shutil.rmtree(self.directory, ignore_errors=True)
        return status

    def whole(self):
        """Wait until all three nodes are in the cluster and in step."""
        for node in self.nodes:
            until(lambda node=node: node.status('cluster_size') == '3'
                  and node.status('local_state_comment') == 'Synced',
                  f'node {node.number} is in the cluster', 60)

    def in_step(self):
        """What was written on node 1 is there on the others: a commit is in
        the cluster at once, but applied a moment later, and a report that
        comes before its subnet is refused."""
        for node in self.nodes[1:]:
            node.root.rows('SELECT COUNT(*) FROM subnets')

    def same_everywhere(self, wanted):
        self.whole()
        for node in self.nodes:
            same_rows(crowd_rows(node.root), wanted, f'rows of node '
                      f'{node.number}')

    def marks(self):
        return [hub.log_mark() for hub in self.hubs]

    def errors(self, marks):
        """How often the hubs met which error of the database since then."""
        count = {}
        for hub, mark in zip(self.hubs, marks):
            for number in re.findall(r'database error.*?number=(\d+)',
                                     hub.log_from(mark)):
                count[number] = count.get(number, 0) + 1
        return count

    def all_alive(self):
        for hub in self.hubs:
            assert hub.alive(), 'a hub died'


@case('three hubs on three nodes: the rows that one hub makes, on every node')
def _(s):
    reports = crowd_reports(6)
    wanted = crowd_wanted(s, s.hubs[0], reports)
    s.reset()
    crowd_stage(s)
    s.in_step()
    marks = s.marks()
    begun = time.monotonic()
    deliver_all(s.hubs, reports, random.Random(7))
    took = time.monotonic() - begun
    s.same_everywhere(wanted)
    errors = s.errors(marks)
    parts = 3 * 4 * len(reports)
    comment(f'{parts} parts in {took:.1f} s by way of three nodes; database '
            f'errors that the hubs met: {errors}')
    assert errors.get('1213', 0) <= parts, 'deadlocks without end'

    # Each node counts in steps of three; what is there already burns no ids.
    steps = {node.root.value('SELECT @@auto_increment_increment')
             for node in s.nodes}
    equal(steps, {'3'}, 'auto_increment_increment')
    before = int(s.sql.value('SELECT MAX(id) FROM ipaddresses'))
    deliver_all(s.hubs, reports, random.Random(8))
    s.same_everywhere(wanted)
    s.subnet(90, '10.90.0.0/24')
    s.in_step()
    for number, hub in enumerate(s.hubs, 1):
        peer = hub.peer('site-a', 30)
        verdict = peer.deliver(harness.Report(90, '10.90.0.0/24').part(
            [host(f'10.90.0.{number}')]))[0]
        peer.socket.close()
        equal(verdict['added'], 1)
    after = int(s.sql.value('SELECT MAX(id) FROM ipaddresses'))
    assert after - before <= 30, f'ids went from {before} to {after}'


class Stream:
    """Reports of one subnet to one hub, one after the other until it is told
    to end: the last that was applied is what has to be in the rows."""

    def __init__(self, hub, subnet, network):
        self.hub, self.subnet, self.network = hub, subnet, network
        self.ending = False
        self.applied = 0
        self.slowest = 0.0
        self.seen = None
        self.fault = None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            peer = self.hub.peer('crowd-0', 60)
            seen = ago(7000)
            while not self.ending:
                seen += 1000
                report = harness.Report(self.subnet, f'{self.network}.0/24',
                                        started=seen)
                begun = time.monotonic()
                for message in (
                        report.part([host(f'{self.network}.{last}', seen)
                                     for last in range(1, 101)]),
                        report.closing([(f'{self.network}.1',
                                         f'{self.network}.254')], up=100)):
                    verdict = peer.deliver(message)[0]
                    equal(verdict['result'], 'applied')
                self.slowest = max(self.slowest, time.monotonic() - begun)
                self.seen = seen
                self.applied += 1
                time.sleep(0.05)
            peer.socket.close()
        except Exception as error:
            self.fault = repr(error)

    def close(self):
        self.ending = True
        self.thread.join()

    def end(self):
        self.close()
        equal(self.fault, None, f'stream to {self.network}')

    def going(self, count):
        """Has it applied so many?"""
        equal(self.fault, None, f'stream to {self.network}')
        return self.applied >= count


def streams(s):
    """One for each hub."""
    found = []
    for number in range(len(s.hubs)):
        s.subnet(60 + number, f'10.8.{number}.0/24')
    s.in_step()
    for number, hub in enumerate(s.hubs):
        found.append(Stream(hub, 60 + number, f'10.8.{number}'))
        s.extra.append(found[-1])
    for stream in found:
        until(lambda stream=stream: stream.going(3), 'reports run')
    return found


def stream_rows(s, found):
    """Every row has the time of the last report, on every node."""
    s.whole()
    for stream in found:
        stream.end()
        for node in s.nodes:
            equal(node.root.row(
                'SELECT COUNT(*), MIN(lastSeen), MAX(lastSeen) FROM '
                f'ipaddresses WHERE subnetId = {stream.subnet}'),
                ('100', wall(stream.seen), wall(stream.seen)),
                f'{stream.network} on node {node.number}')
            equal(node.root.row('SELECT lastScan, lastDiscovery FROM subnets '
                                f'WHERE id = {stream.subnet}'),
                  (wall(stream.seen),) * 2)


@case('a node is killed and brought back while reports run')
def _(s):
    found = streams(s)
    marks = s.marks()
    s.nodes[1].kill()
    killed = time.monotonic()
    counts = [stream.applied for stream in found]
    for at in (0, 2):
        until(lambda at=at: found[at].going(counts[at] + 5),
              'the other nodes go on', 60)
    comment(f'the other nodes went on after {time.monotonic() - killed:.1f} s')
    assert found[1].applied <= counts[1] + 1, 'a dead node wrote'
    s.nodes[1].start()
    counts = [stream.applied for stream in found]
    comment(f'node 2 was back after {time.monotonic() - killed:.1f} s')
    for at in range(3):
        until(lambda at=at: found[at].going(counts[at] + 5),
              'all go on', 60)
    stream_rows(s, found)
    s.all_alive()
    comment(f'{[stream.applied for stream in found]} reports applied, slowest '
            f'{[round(stream.slowest, 1) for stream in found]} s; errors '
            f'{s.errors(marks)}')


@case('a node that lost its cluster says 1047, and goes on after it is whole')
def _(s):
    found = streams(s)
    marks = s.marks()
    for node in s.nodes[1:]:
        node.signal(signal.SIGSTOP)
    try:
        until(lambda: '1047' in s.hubs[0].log_from(marks[0]),
              'the hub meets 1047', 60)
        until(lambda: 'not ready' in (ping := s.hubs[0].ctl(
            'ping', check=False)).stdout + ping.stderr, 'it says so')
        count = found[0].applied
        time.sleep(1)
        assert found[0].applied <= count + 1, 'a node without quorum wrote'
    finally:
        for node in s.nodes[1:]:
            node.signal(signal.SIGCONT)
    counts = [stream.applied for stream in found]
    for at in range(3):
        until(lambda at=at: found[at].going(counts[at] + 5),
              f'stream {at} goes on', 80)
    stream_rows(s, found)
    s.all_alive()
    comment(f'slowest report {max(stream.slowest for stream in found):.1f} s; '
            f'errors {s.errors(marks)}')


def main():
    if harness.too_long():
        return 77
    try:
        galera('fetch', str(SCRIPTS))
    except Missing as reason:
        print(f'1..0 # SKIP {reason}')
        return 77
    return harness.main(Cluster)


if __name__ == '__main__':
    sys.exit(main())

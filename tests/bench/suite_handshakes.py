# SPDX-License-Identifier: MPL-2.0
"""How fast scanners come in: CURVE handshakes with the hub beside those with a
bare libzmq server that lets everybody in, by the same client (handshakes.c);
and what the number of keys in the registry does to it.

A handshake ends when libzmq says on the client's side that it succeeded; then
the connection is closed.  No welcome is waited for: a bare server sends none.
The server's own CPU is told as well, for in the rate the client's has a part on
both sides."""

import statistics
import subprocess
import time

import estate
import harness
from benchlib import BENCH, cpu, program

BLOCKS = 6
BLOCK = 390  # handshakes; a hub lets a key in 240 times at once, not oftener
FEW = 10     # keys
MANY = (10_000,)
MANY_FULL = (1_000, 10_000, 100_000)


class Server:
    """What handshakes are made with, and what they took of it."""

    def __init__(self, process, endpoint, public, keys):
        self.process, self.keys = process, keys
        self.endpoint, self.public = endpoint, public
        self.cpu_us = []  # of a handshake, per block

    def block(self):
        """Handshakes a second."""
        before = cpu(self.process)
        done = program('handshakes', self.endpoint, self.public, self.keys,
                       BLOCK)
        self.cpu_us.append((cpu(self.process) - before) / BLOCK * 1e6)
        if done['failed']:
            raise RuntimeError(f'{done["failed"]} handshakes failed')
        return done['rate']


def bare(keys):
    endpoint = f'tcp://127.0.0.1:{harness.free_port()}'
    process = subprocess.Popen([BENCH / 'bare-curve', endpoint], text=True,
                               stdout=subprocess.PIPE,
                               preexec_fn=harness.die_with_us)
    return Server(process, endpoint, process.stdout.readline().strip(), keys)


def hub(site, keys):
    """And how long its start took, without the making of the keys."""
    one = site.start_hub(keys)
    one.stop()
    began = time.monotonic()
    one.start()
    return Server(one.process, one.endpoint, one.public, site.keys), \
        time.monotonic() - began


def compare(bench, name, got, ours, floor, **more):
    bench.record(name, statistics.median(got[ours]), 'handshakes/s',
                 floor=statistics.median(got[floor]), goal=0.9,
                 blocks={'ours': got[ours], 'floor': got[floor]}, **more)


def measure(bench, site, count, servers):
    """The floor, few keys and so many, in turns."""
    few, _ = hub(site, FEW)
    servers.append(few)
    many, took = hub(site, count)
    servers.append(many)
    floor = bare(few.keys)
    servers.append(floor)
    got = bench.turns({'floor': floor.block, 'few': few.block,
                       'many': many.block}, BLOCKS)
    compare(bench, 'handshakes', got, 'few', 'floor', keys=FEW)
    compare(bench, f'handshakes {count:,} keys', got, 'many', 'few')
    for name, one in (f'{FEW} keys', few), (f'{count:,} keys', many):
        bench.record(f'handshakes {name}, CPU of the hub',
                     statistics.median(one.cpu_us), 'us/handshake',
                     floor=statistics.median(floor.cpu_us))
    bench.record(f'start with {count:,} keys', took, 's')


def run(bench):
    site = estate.Estate(bench, 'handshakes', subnets=10, rows=10)
    try:
        for count in MANY_FULL if bench.full else MANY:
            servers = []
            try:
                measure(bench, site, count, servers)
            finally:
                for one in servers:
                    harness.end(one.process)
    finally:
        site.close()

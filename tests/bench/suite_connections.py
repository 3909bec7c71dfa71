# SPDX-License-Identifier: MPL-2.0
"""A thousand scanners, and eight thousand: what they cost the hub while nothing
happens, whether all that they report arrives, and how soon they are back at
work when the hub was restarted.

Each scanner speaks for an agent of its own with one subnet of 20 known hosts,
all of which answer.  Reports are small here: it is their number and that of the
connections that counts, what is in them is measured elsewhere."""

import json
import subprocess
import time

import estate
import harness
from benchlib import BENCH, PATIENCE, cpu, resident

HOSTS = 20
SWARM_MOST = 1500   # scanners of one process
USED = 500          # scanners, with more than 512 messages each way
USED_SECONDS = 150
WARM = 16           # scanners
SETTLE = 1.5        # seconds, for what a connection costs but once


class Swarm:
    """So many scanners, in as many processes as it takes; all are connected
    when it is made."""

    def __init__(self, site, scanners, *args):
        self.processes = [
            self.start(site, first, min(SWARM_MOST, scanners - first), args)
            for first in range(0, scanners, SWARM_MOST)]
        for one in self.processes:
            if not one.stdout.readline().startswith('connected'):
                raise RuntimeError('not all scanners connected')

    @staticmethod
    def start(site, first, count, args):
        return subprocess.Popen(
            [BENCH / 'scanhub-swarm', '--endpoint', site.hub.endpoint,
             '--server-key', site.hub.public, '--keys', site.keys,
             '--subnets', str(site.subnets), '--agents', str(site.agents),
             '--hosts', f'1-{HOSTS}', '--first', str(first),
             '--scanners', str(count), *map(str, args)],
            stdout=subprocess.PIPE, text=True,
            preexec_fn=harness.die_with_us)

    def finish(self):
        """What each process has to say when it is done."""
        said = [one.communicate(timeout=PATIENCE)[0].splitlines()[-1]
                for one in self.processes]
        return [json.loads(one) for one in said]

    def stop(self):
        for one in self.processes:
            one.terminate()
        return self.finish()


def total(results, name):
    return sum(one[name] for one in results)


def warm(site):
    """What the hub needs but once, for its first reports, is not a scanner's."""
    judge(Swarm(site, WARM, '--reports', 8 * WARM).finish())
    return resident(site.hub.process)


def idle(bench, site, scanners, seconds):
    """Connected, a beat every half minute, and nothing else.  All of them beat
    half a minute after they connected, so that a short run, of some seconds,
    sees the keep-alive of ZMTP only."""
    empty = warm(site)
    swarm = Swarm(site, scanners, '--idle')
    time.sleep(SETTLE)
    full = resident(site.hub.process)
    before = cpu(site.hub.process)
    began = time.monotonic()
    time.sleep(seconds)
    used = (cpu(site.hub.process) - before) / (time.monotonic() - began)
    swarm.stop()
    name = f'connections {scanners:,} idle'
    bench.record(f'{name}, memory', (full - empty) / scanners, 'KB/scanner',
                 goal=40, above=False)
    bench.record(f'{name}, hub in all', full / 1024, 'MiB')
    bench.record(f'{name}, CPU', 100 * used, '% of a core', window_s=seconds,
                 goal=1 if scanners == 1000 else None, above=False)


def used(bench, site):
    """What an idle connection has when it was used for long: a queue of libzmq
    takes two blocks of 256 messages in turns."""
    site.hub.restart()
    empty = warm(site)
    swarm = Swarm(site, USED, '--window', 4, '--hosts', '1-1', '--reports',
                  USED * 600, '--seconds', USED_SECONDS)
    results = swarm.finish()
    judge(results)
    if total(results, 'applied') < USED * 520:
        raise RuntimeError('too slow to fill the queues of libzmq')
    swarm = Swarm(site, 1, '--idle')  # what went is given to who comes
    bench.record(f'connections {USED} used, memory at most',
                 (resident(site.hub.process) - empty) / USED, 'KB/scanner')
    swarm.stop()


def judge(results):
    """Everything that was sent must have been applied."""
    for word in 'lost', 'refused', 'errors':
        if total(results, word):
            raise RuntimeError(f'{word}: {total(results, word)} of '
                               f'{total(results, "sent")} reports, '
                               f'{results[0]["cause"]}')


def schedule(bench, site, scanners, period, seconds):
    """Each reports once in 'period'."""
    swarm = Swarm(site, scanners, '--period', period, '--seconds', seconds)
    before = cpu(site.hub.process)
    results = swarm.finish()
    judge(results)
    bench.record(f'connections {scanners:,} reporting', total(results, 'rate'),
                 'reports/s', scheduled=scanners / period,
                 retried=total(results, 'retried'),
                 lost=total(results, 'lost'),
                 latency_ms=results[0]['latency_ms'],
                 cpu_s=cpu(site.hub.process) - before)


def restart(bench, site, scanners, period, seconds, goal):
    """The hub is stopped and started while all report; from the SIGTERM until
    all have been welcomed, and have had a report applied, again."""
    swarm = Swarm(site, scanners, '--period', period, '--seconds', seconds)
    time.sleep(2)
    began = time.monotonic()
    site.hub.stop()
    stopped = time.monotonic()
    site.hub.start(wait=False)
    results = swarm.finish()
    judge(results)
    outages = [one['outages'] for one in results]
    if any(len(one) != 1 or not one[0]['working'] for one in outages):
        raise RuntimeError(f'not one interruption, with an end: {outages}')
    back, working = (max(one[0][word] for one in outages) - began
                     for word in ('back', 'working'))
    bench.record(f'connections {scanners:,} restart, until all work', working,
                 's', goal=goal, above=False, stopped=stopped - began,
                 back=back, lost=total(results, 'lost'),
                 resent=total(results, 'resent'),
                 retried=total(results, 'retried'))


def measure(bench, scanners):
    site = estate.Estate(bench, f'connections-{scanners}', subnets=scanners,
                         rows=HOSTS, agents=scanners)
    many = scanners > SWARM_MOST
    try:
        site.start_hub()
        idle(bench, site, scanners, 60 if bench.full else 6)
        schedule(bench, site, scanners, 60 if many else 2,
                 120 if many else 20 if bench.full else 2)
        restart(bench, site, scanners, 20 if many else 2, 40 if many else 6,
                goal=None if many else 10)
        if bench.full and not many:
            used(bench, site)
    finally:
        site.close()


def run(bench):
    for scanners in (1000, 8000) if bench.full else (1000,):
        measure(bench, scanners)

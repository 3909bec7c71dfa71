#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""A hundred scanners in one process (tests/bench/scanhub-swarm) and a real hub:
what they report is applied, also over a restart, and phpIPAM sees that all of
them are alive.  How fast that is "make bench" says, whose runner is tried, too:
it says early what would fail, and leaves nothing when it is ended."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import harness
from harness import BUILD, SOURCE, case, equal, until

SWARM = BUILD / 'tests' / 'bench' / 'scanhub-swarm'
BENCH = SOURCE / 'tests' / 'bench' / 'bench'
SCANNERS = 100
FIRST_NETWORK = 0x0a000100  # 10.0.1.0, as the swarm has it


def code(scanner):
    return f'Agent{scanner:027d}'


class Stage(harness.Stage):
    """Scanner n speaks for agent n + 2, which has one subnet with two known
    hosts."""

    def new_hub(self, name, **config):
        hub = super().new_hub(name, **config)
        self.keys = hub.directory / 'keys'
        lines = []
        for scanner in range(SCANNERS):
            public, secret = hub.scanner(f'site-{scanner}', code(scanner))
            lines.append(f'{public} {secret} {code(scanner)}\n')
        self.keys.touch(0o600)
        self.keys.write_text(''.join(lines))
        return hub

    def reset(self):
        super().reset()
        self.sql.rows('DELETE FROM scanAgents WHERE id > 1')
        self.sql.rows('TRUNCATE subnets')
        self.sql.rows(
            'INSERT INTO scanAgents (id, name, type, code) SELECT seq + 2, '
            "CONCAT('site-', seq), 'mysql', CONCAT('Agent', "
            f"LPAD(seq, 27, '0')) FROM seq_0_to_{SCANNERS - 1}")
        self.sql.rows(
            'INSERT INTO subnets (id, subnet, mask, sectionId, scanAgent, '
            'pingSubnet, discoverSubnet) SELECT seq, '
            f"{FIRST_NETWORK - 256} + 256 * seq, '24', 1, "
            f'2 + seq % {SCANNERS}, 1, 1 FROM seq_1_to_{SCANNERS}')
        self.sql.rows(
            'INSERT INTO ipaddresses (subnetId, ip_addr) SELECT id, '
            'subnet + seq FROM subnets JOIN seq_1_to_2')

    def swarm(self, *args):
        """Connected when this returns."""
        process = subprocess.Popen(
            [SWARM, '--endpoint', self.hub.endpoint, '--server-key',
             self.hub.public, '--keys', self.keys, '--scanners',
             str(SCANNERS), '--subnets', str(SCANNERS), '--agents',
             str(SCANNERS), '--hosts', '1-3', *map(str, args)],
            stdout=subprocess.PIPE, text=True,
            preexec_fn=harness.die_with_us)
        self.extra.append(process.stdout)
        equal(process.stdout.readline(), f'connected {SCANNERS}\n')
        return process

    @staticmethod
    def said(process):
        """What it has to tell when it is done."""
        line = process.communicate(timeout=harness.PATIENCE)[0]
        equal(process.returncode, 0, 'exit status')
        return json.loads(line)


def complete(done, reports, closings=0):
    """All were applied."""
    equal({word: done[word] for word in (
        'connected', 'sent', 'applied', 'refused', 'lost', 'closings',
        'errors', 'hosts_refused')},
        {'connected': SCANNERS, 'sent': reports, 'applied': reports,
         'refused': 0, 'lost': 0, 'closings': closings, 'errors': 0,
         'hosts_refused': 0})


@case('a closed loop: each report is applied and has its closing part')
def _(s):
    done = s.said(s.swarm('--reports', 200, '--closing'))
    complete(done, 200, closings=200)
    equal(done['parts'], 400 + done['retried'])
    equal(done['added'], SCANNERS)  # a third host in each subnet
    equal(s.sql.value('SELECT COUNT(*), SUM(lastSeen IS NOT NULL) FROM '
                      'ipaddresses').split(), [str(3 * SCANNERS)])


@case('a hub that restarts loses no report of a schedule')
def _(s):
    swarm = s.swarm('--rate', 200, '--reports', 500)
    until(lambda: s.hub.counter('parts_applied') > 50, 'half a second of it')
    s.hub.restart()
    done = s.said(swarm)
    complete(done, 500)
    equal(done['reconnects'], SCANNERS)
    outage, = done['outages']
    assert outage['lost'] < outage['back'] < outage['working'], outage
    assert done['latency_ms']['max'] >= 1000 * (
        outage['back'] - outage['lost']) / 2, done


@case('a hundred that connect at once are all seen to be alive')
def _(s):
    swarm = s.swarm('--idle')
    until(lambda: s.sql.value('SELECT COUNT(*) FROM scanAgents WHERE '
                              'last_access IS NOT NULL') == str(SCANNERS),
          'last_access of all')
    swarm.terminate()
    complete(s.said(swarm), 0)


@case('what would fail in the end is said before anything is measured')
def _(s):
    nothing = s.directory / 'nothing'
    for build, output, expected in (
            (BUILD, nothing / 'results.json', 'cannot be written'),
            (nothing, s.directory / 'results.json', 'not built: hub/')):
        done = subprocess.run([BENCH, '--output', output, 'codec'], text=True,
                              env={**os.environ, 'top_builddir': build},
                              capture_output=True, check=False)
        equal(done.returncode, 2)
        assert expected in done.stderr, done.stderr
        equal(done.stdout, '')


def database_of(process):
    """The directory of the database that a run of the benchmarks has started;
    or None."""
    children = Path(f'/proc/{process.pid}/task/{process.pid}/children')
    for child in children.read_text().split():
        words = Path(f'/proc/{child}/cmdline').read_text().split('\0')
        if 'serve' in words:
            place = Path(words[words.index('serve') + 1])
            if (place / 'db.pid').exists():
                return place
    return None


@case('a benchmark that is ended while its database starts leaves nothing')
def _(s):
    process = subprocess.Popen(
        [BENCH, '--output', s.directory / 'results.json', 'throughput'],
        text=True, env={**os.environ, 'top_builddir': BUILD},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        preexec_fn=harness.die_with_us)
    equal(process.stdout.readline()[:13], '# throughput:')
    database = until(lambda: database_of(process), 'its database')
    pid = int((database / 'db.pid').read_text())
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=harness.PATIENCE)[0]
    equal(process.returncode, 130)
    assert 'bench: interrupted\n' in said and '# no figures\n' in said, said
    assert not database.exists() and not database.parents[1].exists()
    assert not Path(f'/proc/{pid}').exists(), pid


if __name__ == '__main__':
    sys.exit(harness.main(Stage))

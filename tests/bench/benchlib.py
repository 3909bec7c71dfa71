# SPDX-License-Identifier: MPL-2.0
"""What the benchmarks stand on: blocks of a thing and of its floor in turns,
ratios of medians, a table for people and a JSON document for programs.

A ratio is the claim; a figure without one is for orientation.  Both sides of a
ratio are measured in the same run, in blocks that alternate, so that whatever
else the machine does hits both."""

import contextlib
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'integration'))

import harness
from harness import BUILD, SOURCE  # for the suites

BENCH = BUILD / 'tests' / 'bench'
BLOCKS = 5          # of each side, at the least
PATIENCE = 900      # seconds, for one program of a suite
COLUMNS = 80        # of a terminal


class Unavailable(Exception):
    """A suite cannot be played here; the text says why."""


def program(name, *args, patience=PATIENCE, **more):
    """Run one of tests/bench's programs to its end: the JSON object that it
    prints on its last line."""
    done = subprocess.run([str(BENCH / name), *map(str, args)], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          timeout=patience, preexec_fn=harness.die_with_us,
                          check=False, **more)
    if done.returncode:
        raise RuntimeError(f'{name} {" ".join(map(str, args))}: exit '
                           f'{done.returncode}')
    return json.loads(done.stdout.rstrip('\n').rsplit('\n', 1)[-1])


def arguments(options):
    """{'from_subnet': 5, 'closing': True} as --from-subnet 5 --closing."""
    words = []
    for name, value in options.items():
        if value is None or value is False:
            continue
        words.append('--' + name.replace('_', '-'))
        if value is not True:
            words.append(value)
    return words


def cpu(process):
    """CPU seconds that it has used, in all of its threads."""
    tasks = Path(f'/proc/{process.pid}/task').glob('*/schedstat')
    return sum(int(one.read_text().split()[0]) for one in tasks) / 1e9


def resident(process):
    """KB of memory that it has."""
    status = Path(f'/proc/{process.pid}/status').read_text()
    return int(re.search(r'^VmRSS:\s+(\d+) kB$', status, re.M)[1])


def machine():
    """What the figures were taken on."""
    cpu = 'unknown'
    with contextlib.suppress(OSError):
        cpu = re.search(r'^model name\s*: (.*)$',
                        Path('/proc/cpuinfo').read_text(), re.M)[1]
    database = ''
    # Where scripts/private-db looks, too: not all users have that in PATH.
    path = os.environ.get('PATH', '') + ':/usr/sbin:/sbin:/usr/local/sbin'
    with contextlib.suppress(OSError):
        database = subprocess.run(['mariadbd', '--no-defaults', '--version'],
                                  text=True, capture_output=True, check=False,
                                  env={**os.environ, 'PATH': path}).stdout
    with open('/proc/meminfo') as lines:
        memory = int(lines.readline().split()[1]) // 1024
    return {'cpu': cpu, 'cores': len(os.sched_getaffinity(0)),
            'memory_mib': memory, 'kernel': platform.release(),
            'database': ' '.join(database.split()[:3])}


def short(value):
    """A number as people read it: three digits that count."""
    if isinstance(value, str):
        return value
    if value == 0 or abs(value) >= 100:
        return f'{value:,.0f}'
    return f'{value:.3g}'


class Bench:
    """One run: its directory, its options and what came of it."""

    def __init__(self, full=False):
        self.full = full
        self.directory = Path(tempfile.mkdtemp('', 'scanhub-bench.', '/tmp'))
        self.results = []
        self.kept = {}
        self.began = time.time()

    def keep(self, name, make):
        """What several suites share: made for the first, closed in the end."""
        if name not in self.kept:
            self.kept[name] = make()
        return self.kept[name]

    def close(self):
        for one in self.kept.values():
            one.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    # What is found out.

    def record(self, name, value, unit, floor=None, goal=None, above=True,
               **more):
        """One figure.  With a 'floor' in the same unit the ratio value / floor
        is recorded, too, and 'goal' is the ratio's; without one it is the
        value's.  'above': the goal is to be reached, not to be kept under."""
        one = {'name': name, 'unit': unit, 'value': value, **more}
        judged = value
        if floor is not None:
            one['floor'] = floor
            one['ratio'] = judged = value / floor if floor else None
        if goal is not None and judged is not None:
            one['goal'] = goal
            one['above'] = above
            one['reached'] = judged >= goal if above else judged <= goal
        self.results.append(one)
        print(self.line(one), flush=True)
        return one

    @staticmethod
    def line(one):
        """'throughput 2 workers: 812 reports/s, floor 760, ratio 1.07
        (goal: at least 1)'."""
        text = f'{short(one["value"])} {one["unit"]}'
        if 'floor' in one:
            text += f', floor {short(one["floor"])}'
            if one['ratio'] is not None:
                text += f', ratio {one["ratio"]:.2f}'
        if 'goal' in one:
            text += (f' (goal: {"at least" if one["above"] else "at most"} '
                     f'{one["goal"]:g}'
                     f'{"" if one["reached"] else ", MISSED"})')
        # Two lines where one does not fit into a terminal.
        fits = len(one['name']) + len(text) + 2 < COLUMNS
        return f'{one["name"]}:' + (' ' if fits else '\n    ') + text

    @staticmethod
    def turns(sides, blocks=BLOCKS):
        """Blocks of several sides in turns: what each block of each gave."""
        got = {side: [] for side in sides}
        for block in range(blocks):
            # Who goes first changes, so that none always follows the same.
            first = block % len(sides)
            for side in [*sides][first:] + [*sides][:first]:
                got[side].append(sides[side]())
        return got

    def judge(self, name, unit, got, goal=None, above=True, **more):
        """Record the ratio of the blocks' medians, and all figures beside
        it."""
        return self.record(name, statistics.median(got['ours']), unit,
                           floor=statistics.median(got['floor']), goal=goal,
                           above=above, blocks=got, **more)

    def compare(self, name, unit, ours, floor, goal=None, above=True,
                blocks=BLOCKS, **more):
        """Both at once: each function plays one block and returns its
        figure."""
        got = self.turns({'ours': ours, 'floor': floor}, blocks)
        return self.judge(name, unit, got, goal=goal, above=above, **more)

    def document(self):
        return {'began': time.strftime('%Y-%m-%dT%H:%M:%SZ',
                                       time.gmtime(self.began)),
                'took_s': round(time.time() - self.began, 1),
                'full': self.full, 'machine': machine(),
                'results': self.results}

    def write(self, path):
        path = Path(path)
        fresh = path.with_name(f'.{path.name}.new')
        fresh.write_text(json.dumps(self.document(), indent=1) + '\n')
        fresh.rename(path)

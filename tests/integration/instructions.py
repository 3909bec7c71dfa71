#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""How many instructions the hub spends on a report, counted by callgrind over
tests/bench/road: a regression shows here whatever else the machine does.  The
difference between two runs counts, so that what each costs at its start drops
out."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

BUILD = Path(os.environ.get('top_builddir',
                            Path(__file__).resolve().parents[2])).resolve()
ROAD = BUILD / 'tests' / 'bench' / 'road'
FEW, MANY = 16, 48  # reports; whole batches of 16
PATIENCE = 120

# Mode, and instructions that a report may take: half as many again as were
# counted (gcc 12, -O2, x86-64), for other compilers and libraries do it with a
# few more or less.  What is above has become slower by more than that.
CEILINGS = (
    ('fresh', 1_400_000),
    ('unchanged', 1_100_000),
    ('closing', 475_000),
    ('decode', 215_000),
    ('encode', 205_000),
)


def count(directory, mode, reports):
    """Instructions of a run."""
    out = directory / f'{mode}.{reports}'
    done = subprocess.run(['valgrind', '--quiet', '--tool=callgrind',
                           f'--callgrind-out-file={out}', str(ROAD), mode,
                           str(reports)], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, check=False,
                          timeout=PATIENCE)
    if done.returncode:
        raise AssertionError(f'{mode}: exit {done.returncode}: {done.stdout}')
    for line in out.read_text().splitlines():
        if line.startswith('totals: '):
            return int(line.split()[1])
    raise AssertionError(f'callgrind gave no total for {mode}')


def skipped():
    """Why nothing can be counted here, or None."""
    if not shutil.which('valgrind'):
        return 'there is no valgrind'
    said = json.loads(subprocess.run([str(ROAD), 'decode', '1'], text=True,
                                     stdout=subprocess.PIPE, check=True,
                                     timeout=PATIENCE).stdout)
    return None if said['optimised'] else 'the build is not optimised'


def main():
    why_not = skipped()
    if why_not:
        print(f'1..0 # SKIP {why_not}')
        return 77
    failed = 0
    with tempfile.TemporaryDirectory(prefix='scanhub-test.') as path:
        for number, (mode, ceiling) in enumerate(CEILINGS, 1):
            spent = (count(Path(path), mode, MANY)
                     - count(Path(path), mode, FEW)) // (MANY - FEW)
            good = 0 < spent <= ceiling
            failed += not good
            print(f'{"ok" if good else "not ok"} {number} - {mode}: {spent:,} '
                  f'instructions per report, at most {ceiling:,}', flush=True)
    print(f'1..{len(CEILINGS)}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())

# SPDX-License-Identifier: MPL-2.0
"""Decoding and encoding a report, beside msgpack-c's bare unpacking of the same
bytes: one process, in blocks that take turns."""

import statistics

import benchlib

GOAL = 2    # times as fast as unpacking alone


def run(bench):
    got = benchlib.program('codec', *((15, 500) if bench.full else (7, 150)))
    floor = got['unpack']
    for task, name in (('decode', 'codec: decode and validate'),
                       ('encode', 'codec: encode and validate')):
        bench.record(name, statistics.median(got[task]), 'reports/s',
                     floor=statistics.median(floor), goal=GOAL,
                     blocks={'ours': got[task], 'floor': floor},
                     hosts=got['hosts'], bytes=got['bytes'])

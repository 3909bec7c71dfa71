# SPDX-License-Identifier: MPL-2.0
"""How long a report of a /24 takes, from the scanner's send to its verdict:
one at a time on an idle hub, beside the same statements with one COMMIT over
one bare connection; and at 80 % of the throughput, where reports are due at
fixed times and latency counts from then."""

import estate
import suite_throughput

WORKERS = 2
SHARE = 0.8         # of the throughput
LOADED_MS = 250     # at most, of 99 in 100


def idle(bench, place):
    """A block is one scanner's subnets, one after the other."""
    def ours():
        options, _ = place.walk_alone()
        got = place.swarm(window=1, **options)
        if got['applied'] != options['reports']:
            raise RuntimeError(f'not all were applied: {got}')
        return got['latency_ms']

    def floor():
        _, options = place.walk_alone()
        return place.floor(connections=1, **options)['latency_ms']

    place.rewind()
    got = bench.turns({'ours': ours, 'floor': floor},
                      blocks=20 if bench.full else 5)
    place.account()
    for quantile, goal in (('p50', None), ('p90', None), ('p99', 2.0)):
        bench.judge(f'latency of a report on an idle hub, {quantile}', 'ms',
                    {side: [one[quantile] for one in blocks]
                     for side, blocks in got.items()}, goal=goal, above=False)


def throughput(place):
    """As it is now: a machine that was faster minutes ago would be given more
    than it can do."""
    return place.swarm(
        scanners=place.agents, window=suite_throughput.WINDOW, once=True,
        **place.walk(1000))['rate']


def loaded(bench, place):
    place.rewind()
    rate = SHARE * throughput(place)
    count = int(rate * 3)
    rounds = []
    for _ in range(5 if bench.full else 1):
        options = place.walk(min(count, place.subnets))
        got = place.swarm(scanners=place.agents, rate=rate, reports=count,
                          **options)
        if got['applied'] != count:
            raise RuntimeError(f'not all were applied: {got}')
        rounds.append(got['latency_ms'])
        place.rewind()
    for quantile, goal in (('p50', None), ('p99', LOADED_MS)):
        values = sorted(one[quantile] for one in rounds)
        bench.record(f'latency at {SHARE:.0%} of the throughput, {quantile}',
                     values[len(values) // 2], 'ms', goal=goal, above=False,
                     rate=rate, rounds=rounds)


def run(bench):
    place = estate.shared(bench)
    place.start_hub(workers=WORKERS)
    try:
        place.swarm(scanners=place.agents, window=1, reports=64, hosts='1-1')
        idle(bench, place)
        loaded(bench, place)
    finally:
        place.stop_hub()

# SPDX-License-Identifier: MPL-2.0
"""What the hub's throughput and memory do when the table, a subnet, the
registry or the share of hosts that changed grows.  BENCH_SERIES in the
environment names the series to play, else all are: table, subnet, keys,
changed.  tests/bench/plots draws them.

A point is made of blocks of reports that all ask for the same work: the known
hosts were seen at another second than the last time, the new ones have no
row."""

import os
import statistics
import time

import benchlib
import estate

WINDOW = 4
WORKERS = 2
WALK = 40           # reports of a block, unless it is said
SPAN = 400          # subnets that are walked over
BLOCKS = 20


def clocks(place):
    return {'hub': place.hub.cpu(), 'database': place.database.cpu()}


class Point:
    """Blocks of reports at one place of a series."""

    def __init__(self, place, reports, hosts):
        self.place, self.reports, self.hosts = place, reports, hosts
        self.rates = []
        self.cpu = dict.fromkeys(('hub', 'database'), 0)
        self.memory = 0

    def block(self, added=0, **options):
        """'added': rows that each report makes."""
        before = clocks(self.place)
        got = self.place.swarm(window=WINDOW, hosts=f'1-{self.hosts}',
                               **options)
        for name, after in clocks(self.place).items():
            self.cpu[name] += after - before[name]
        if got['applied'] != self.reports or got['lost'] or got['refused'] \
                or got['added'] != added * self.reports:
            raise RuntimeError(f'reports went wrong: {got}')
        self.rates.append(got['rate'])
        self.memory = max(self.memory,
                          benchlib.resident(self.place.hub.process))

    def record(self, bench, series, x, what, **more):
        done = len(self.rates) * self.reports
        rate = statistics.median(self.rates)
        bench.record(
            f'growth {series}: {what}', rate, 'reports/s', series=series, x=x,
            blocks=self.rates, hosts=self.hosts, hosts_per_s=rate * self.hosts,
            hub_us_per_host=self.cpu['hub'] / done / self.hosts * 1e6,
            database_us_per_host=self.cpu['database'] / done / self.hosts
            * 1e6, hub_ms=self.cpu['hub'] / done * 1e3,
            database_ms=self.cpu['database'] / done * 1e3,
            memory_mib=self.memory / 1024, **more)


def walk(place, blocks, added):
    """Blocks of WALK subnets each, until all of SPAN have been reported; then
    the table is made as it was filled, and they are reported again."""
    span = min(place.subnets, SPAN)
    point = Point(place, WALK, estate.HOSTS)
    for _ in range(blocks):
        if place.walked + WALK > span:
            place.account()
            place.rewind()
            time.sleep(1.1)  # or the hosts were seen at the same second
        point.block(added=added, scanners=place.agents, once=True,
                    **place.walk(WALK))
    return point


def table(bench, place):
    """The same reports into ever larger tables."""
    for rows in (10_000, 100_000, 1_000_000, 2_000_000):
        place.shape(rows // estate.ROWS, estate.ROWS, agents=8)
        place.start_hub(workers=WORKERS)
        point = walk(place, BLOCKS, estate.HOSTS - estate.ROWS)
        point.record(bench, 'table', rows, f'{rows:,} rows')
        place.stop_hub()


def subnet(bench, place):
    """Subnets of all sizes, all of whose hosts have rows and answer; those with
    more hosts than a part may have are reported in several."""
    for prefix, count in ((30, 2000), (28, 2000), (24, 800), (20, 64),
                          (16, 8)):
        hosts = (1 << 32 - prefix) - 2
        place.shape(count, hosts, agents=4, prefix=prefix)
        place.start_hub(workers=WORKERS)
        point = Point(place, count, hosts)
        for _ in range(3):
            point.block(scanners=place.agents, once=True)
            time.sleep(1.1)  # or the hosts were seen at the same second
        point.record(bench, 'subnet', hosts, f'/{prefix}', prefix=prefix)
        place.stop_hub()


def keys(bench, place):
    """Ten scanners work, while ever more are registered, each for an agent of
    its own, and are not there."""
    for count in (10, 100, 1000, 10_000, 100_000):
        place.shape(400, estate.ROWS, agents=10)
        if count > place.agents:
            place.more_agents(count)
        hub = place.start_hub(keys=count, workers=WORKERS)
        hub.stop()
        began = time.monotonic()
        hub.start()
        took = time.monotonic() - began
        empty = benchlib.resident(hub.process)
        point = walk(place, BLOCKS, estate.HOSTS - estate.ROWS)
        point.record(bench, 'keys', count, f'{count:,} keys', start_s=took,
                     empty_mib=empty / 1024)
        place.stop_hub()


def changed(bench, place):
    """Of 254 hosts so many have no row yet; the others are only seen again."""
    for share in (0, 10, 25, 50, 75, 100):
        fresh = round(estate.HOSTS * share / 100)
        place.shape(400, estate.HOSTS - fresh, agents=8)
        place.start_hub(workers=WORKERS)
        point = walk(place, BLOCKS, fresh)
        point.record(bench, 'changed', share, f'{share} % new', fresh=fresh)
        place.stop_hub()


SERIES = {'table': table, 'subnet': subnet, 'keys': keys, 'changed': changed}


def run(bench):
    chosen = os.environ.get('BENCH_SERIES', '').split() or list(SERIES)
    unknown = set(chosen) - set(SERIES)
    if unknown:
        raise benchlib.Unavailable(f'BENCH_SERIES: there is no series '
                                   f'{", ".join(sorted(unknown))}')
    place = estate.Estate(bench, 'growth', subnets=40, agents=8)
    try:
        for name in chosen:
            SERIES[name](bench, place)
    finally:
        place.close()

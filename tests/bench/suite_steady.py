# SPDX-License-Identifier: MPL-2.0
"""The everyday report: all of its hosts have rows, and nothing but lastSeen
moves.  What it asks of the database, by the server's general log; how many a
second, beside a bare loop with the same statements and beside one that only
reads; and what a granularity of lastSeen spares."""

import re
import statistics

import estate

WORKERS = 2
BLOCK = 300         # reports
COUNTED = 16        # reports whose statements are counted, one at a time
HOSTS = f'1-{estate.ROWS}'
PLAIN = 'policy: {tags: never}'
SPARING = 'policy: {tags: never, seen_granularity: 900}'

# What a report may ask of the database, at most: by its part with hosts, and by
# its closing part.
KINDS = (
    ('reads of ipaddresses', r'SELECT .* FROM ipaddresses ', 1, 1),
    ('updates of ipaddresses', r'UPDATE ipaddresses ', 1, 0),
    ('reads of the subnet', r'SELECT .* FROM subnets s .* FOR UPDATE', 1, 1),
    ('updates of the subnet', r'UPDATE subnets ', 0, 1),
    ('reads of the agent', r'SELECT .* scanAgents a ', 1, 1),
)


class Setting:
    """The hub, and the next subnets."""

    def __init__(self, place):
        self.place = place
        self.at = 0

    def range(self, count=BLOCK):
        """Not those of the block before: their lastSeen has to move."""
        if self.at + count > self.place.subnets:
            self.at = 0
        first = self.at + 1
        self.at += count
        return {'from_subnet': first, 'to_subnet': self.at, 'hosts': HOSTS}

    def ours(self, **more):
        got = self.place.swarm(scanners=self.place.agents, window=4, once=True,
                               **self.range(), **more)
        if (got['applied'], got['seen']) != (BLOCK, BLOCK * estate.ROWS):
            raise RuntimeError(f'not all were applied: {got}')
        return got['rate']

    def floor(self, mode):
        return self.place.floor(connections=WORKERS, reports=BLOCK, mode=mode,
                                **self.range())['rate']

    def with_policy(self, text):
        self.place.hub.policy(text)
        return self.ours()


def count(setting, **more):
    """Statements of each kind, per report."""
    told = setting.place.told(lambda: setting.place.swarm(
        scanners=1, window=1, reports=COUNTED, **setting.range(), **more))
    # What a connection of its own costs is rolled back.
    done = re.findall(r'START TRANSACTION\n((?:(?!ROLLBACK|COMMIT).*\n)*)COMMIT',
                      '\n'.join('\n'.join(texts) for texts in told.values()))
    texts = ''.join(done).splitlines()
    if any(text.startswith('INSERT') for text in texts):
        raise RuntimeError('an unchanged report makes rows')
    return {name: sum(bool(re.match(pattern, text)) for text in texts)
            / COUNTED for name, pattern, _, _ in KINDS}


def statements(bench, setting):
    """Tags are on, or the closing part would have nothing to look at."""
    setting.place.sql.rows('UPDATE settings SET updateTags = 1')
    hosts = count(setting)
    spread = count(setting, spread=40)
    both = count(setting, closing=True)
    setting.place.sql.rows('UPDATE settings SET updateTags = 0')
    for name, _, most, closing in KINDS:
        bench.record(f'unchanged, a part with hosts: {name}', hosts[name],
                     'each', goal=most, above=False)
        bench.record(f'unchanged, a closing part: {name}',
                     both[name] - hosts[name], 'each', goal=closing,
                     above=False)
    name = 'updates of ipaddresses'
    bench.record(f'unchanged, hosts seen over 40 s: {name}', spread[name],
                 'each', goal=1, above=False)


def rates(bench, setting):
    got = bench.turns({'ours': setting.ours,
                       'floor': lambda: setting.floor('unchanged'),
                       'read': lambda: setting.floor('read')},
                      blocks=15 if bench.full else 5)
    read = got.pop('read')
    bench.judge(f'unchanged reports, {WORKERS} workers', 'reports/s', got,
                goal=1.0)
    bench.judge(f'unchanged reports, {WORKERS} workers, beside reading alone',
                'reports/s', {'ours': got['ours'], 'floor': read})


def granularity(bench, setting):
    """All rows have just been seen, so none of them is written where 900 s are
    enough; the tags are left alone, for else each scan writes."""
    updated = []

    def spared():
        before = setting.place.status('Handler_update')
        rate = setting.with_policy(SPARING)
        after = setting.place.status('Handler_update')
        updated.extend(after[name] - before[name] for name in after)
        return rate
    setting.at = 0
    got = bench.turns({'ours': spared,
                       'floor': lambda: setting.with_policy(PLAIN)},
                      blocks=15 if bench.full else 5)
    bench.judge('unchanged reports with seen_granularity, beside without',
                'reports/s', got)
    bench.record('rows updated by a report with seen_granularity',
                 statistics.median(updated) / BLOCK, 'rows')


def run(bench):
    place = estate.shared(bench)
    place.rewind()
    place.start_hub(workers=WORKERS)
    setting = Setting(place)
    try:
        statements(bench, setting)
        for _ in range(place.subnets // BLOCK if bench.full else 1):
            setting.ours()
        rates(bench, setting)
        granularity(bench, setting)
    finally:
        place.stop_hub()

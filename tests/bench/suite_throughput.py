# SPDX-License-Identifier: MPL-2.0
"""Durable reports a second, end to end: scanhub-swarm encodes and sends over
CURVE, the hub applies and commits, the swarm has the verdict.  The floor is a
bare loop over as many connections as the hub has workers.  Both are asked for
the same: a report of 254 hosts of which 250 have rows and 4 do not.

Swarm, hub and database share the machine, and all that the swarm and CURVE
take of it counts against the hub; how much that was stands beside each figure
(cpu_ms, of each process and report)."""

import resource

import estate

WORKERS = (1, 2, 4)
BLOCK = 400         # reports; ten blocks are all the subnets
SCANNERS = 16       # one for each agent
WINDOW = 4          # parts on their way, of each: no queue is full
WARM = 64           # before the first block, and not counted
FRESH = 4           # new rows of a report
COUNTED = ('Com_select', 'Com_update', 'Com_insert', 'Com_begin',
           'Com_commit', 'Com_rollback', 'Innodb_deadlocks')


class Setting:
    """A hub with so many workers, and the floor with so many connections.  The
    blocks of both walk over the subnets, each of which is new to them."""

    def __init__(self, place, workers, closing=False, window=WINDOW):
        self.place, self.workers, self.closing = place, workers, closing
        self.window = window
        self.next = place.subnets  # begin with a rewind
        self.sent = self.retried = 0
        self.fresh = 0  # rows that both have made since the last rewind
        self.status = dict.fromkeys(COUNTED, 0)
        self.cpu = {'ours': [], 'floor': []}

    def range(self):
        """The next subnets, as options."""
        if self.next + BLOCK > self.place.subnets:
            self.rewind()
        first = self.next + 1
        self.next += BLOCK
        return {'from_subnet': first, 'to_subnet': self.next,
                'closing': self.closing}

    def rewind(self):
        """As many ids have been used as rows were made, or it is wrong."""
        used, made = self.place.ids_used(), (
            self.place.rows_now() - self.place.subnets * self.place.rows)
        if not used == made == self.fresh:
            raise RuntimeError(f'{self.fresh} new hosts were reported; rows '
                               f'made: {made}, ids used: {used}')
        self.place.rewind()
        self.next = self.fresh = 0

    def note_cpu(self, side, before):
        """What a report cost, in ms of a core."""
        spent = {name: (after - before[name]) * 1000 / BLOCK
                 for name, after in self.clocks().items()}
        self.cpu[side].append(spent)

    def clocks(self):
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {'load': used.ru_utime + used.ru_stime,
                'hub': self.place.hub.cpu(),
                'database': self.place.database.cpu()}

    def ours(self):
        options = self.range()
        status, clocks = self.place.status(*COUNTED), self.clocks()
        got = self.place.swarm(scanners=SCANNERS, window=self.window,
                               once=True, **options)
        self.note_cpu('ours', clocks)
        after = self.place.status(*COUNTED)
        for name in COUNTED:
            self.status[name] += after[name] - status[name]
        self.sent += BLOCK
        self.retried += got['retried']
        self.fresh += FRESH * BLOCK
        for name, wanted in (('applied', BLOCK), ('added', FRESH * BLOCK),
                             ('seen', self.place.rows * BLOCK),
                             ('lost', 0), ('refused', 0)):
            if got[name] != wanted:
                raise RuntimeError(f'{name}: {got[name]}, not {wanted}: {got}')
        return got['rate']

    def floor(self):
        options = self.range()
        clocks = self.clocks()
        got = self.place.floor(connections=self.workers, reports=BLOCK,
                               **options)
        self.note_cpu('floor', clocks)
        self.fresh += FRESH * BLOCK
        if got['rows_inserted'] != FRESH * BLOCK or got['deadlocks']:
            raise RuntimeError(f'the floor went wrong: {got}')
        return got['rate']

    def mean_cpu(self):
        return {side: {name: round(sum(one[name] for one in blocks)
                                   / len(blocks), 3) for name in blocks[0]}
                for side, blocks in self.cpu.items()}

    def measure(self, bench, name):
        self.place.start_hub(workers=self.workers)
        try:
            self.place.swarm(scanners=SCANNERS, window=1, reports=WARM,
                             hosts='1-1')  # all connections are made
            result = bench.compare(name, 'reports/s', self.ours, self.floor,
                                   goal=1.0)
            self.rewind()
        finally:
            self.place.stop_hub()
        result['cpu_ms'] = self.mean_cpu()
        result['statements'] = {
            key: round(value / self.sent, 3)
            for key, value in self.status.items() if key.startswith('Com_')}
        return self


def tell(bench, setting, name):
    """What the hub asked of the database."""
    bench.record(f'{name}, reports per commit',
                 setting.sent / setting.status['Com_commit'], 'reports')
    statements = sum(setting.status[key] for key in COUNTED
                     if key.startswith('Com_'))
    bench.record(f'{name}, statements per report', statements / setting.sent,
                 'statements')
    bench.record(f'{name}, deadlocks and retries in {setting.sent} reports',
                 setting.status['Innodb_deadlocks'] + setting.retried, 'times',
                 goal=0, above=False)


def run(bench):
    place = estate.Estate(bench, 'throughput')
    try:
        for workers in WORKERS:
            name = f'throughput {workers} workers'
            setting = Setting(place, workers).measure(bench, name)
            tell(bench, setting, name)
    finally:
        place.close()

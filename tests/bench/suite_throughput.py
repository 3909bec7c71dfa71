# SPDX-License-Identifier: MPL-2.0
"""Durable reports a second, end to end: scanhub-swarm encodes and sends over
CURVE, the hub applies and commits, the swarm has the verdict.  The floor is a
bare loop over as many connections as the hub has workers.  Both are asked for
the same: a report of 254 hosts of which 250 have rows and 4 do not.

Swarm, hub and database share the machine, and all that the swarm and CURVE
take of it counts against the hub; how much that was stands beside each figure
(cpu_ms, of each process and report)."""

import itertools
import resource

import benchlib
import estate

WORKERS = (1, 2, 4)
BLOCK = 400         # reports; ten blocks are all the subnets
WINDOW = 4          # parts on their way, of each: no queue is full
WARM = 64           # before the first block, and not counted
FRESH = estate.HOSTS - estate.ROWS  # new rows of a report
COUNTED = ('Com_select', 'Com_update', 'Com_insert', 'Com_begin',
           'Com_commit', 'Com_rollback', 'Innodb_deadlocks')


class Setting:
    """A hub with so many workers, and the floor with so many connections.  The
    blocks of both walk over the subnets, each of which is new to them."""

    def __init__(self, place, workers, closing=False, window=WINDOW,
                 block=BLOCK):
        self.place, self.workers, self.closing = place, workers, closing
        self.window, self.block = window, block
        self.sent = self.retried = 0
        self.status = dict.fromkeys(COUNTED, 0)
        self.cpu = {'ours': [], 'floor': []}

    def note_cpu(self, side, before):
        """What a report cost, in ms of a core."""
        spent = {name: (after - before[name]) * 1000 / self.block
                 for name, after in self.clocks().items()}
        self.cpu[side].append(spent)

    def clocks(self):
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {'load': used.ru_utime + used.ru_stime,
                'hub': self.place.hub.cpu(),
                'database': self.place.database.cpu()}

    def ours(self):
        options = self.place.walk(self.block)
        status, clocks = self.place.status(*COUNTED), self.clocks()
        got = self.place.swarm(scanners=self.place.agents, window=self.window,
                               once=True, closing=self.closing, **options)
        self.note_cpu('ours', clocks)
        after = self.place.status(*COUNTED)
        for name in COUNTED:
            self.status[name] += after[name] - status[name]
        self.sent += self.block
        self.retried += got['retried']
        for name, each in (('applied', 1), ('added', FRESH),
                           ('seen', estate.ROWS), ('lost', 0), ('refused', 0)):
            if got[name] != each * self.block:
                raise RuntimeError(f'{name}: not {each} a report: {got}')
        return got['rate']

    def floor(self):
        options = self.place.walk(self.block)
        clocks = self.clocks()
        got = self.place.floor(connections=self.workers, reports=self.block,
                               closing=self.closing, **options)
        self.note_cpu('floor', clocks)
        if got['rows_inserted'] != FRESH * self.block or got['deadlocks']:
            raise RuntimeError(f'the floor went wrong: {got}')
        return got['rate']

    def mean_cpu(self):
        return {side: {name: round(sum(one[name] for one in blocks)
                                   / len(blocks), 3) for name in blocks[0]}
                for side, blocks in self.cpu.items()}

    def measure(self, bench, name, blocks=benchlib.BLOCKS):
        self.place.rewind()
        self.place.start_hub(workers=self.workers)
        try:
            self.place.swarm(scanners=self.place.agents, window=1,
                             reports=WARM, hosts='1-1')  # all connections are made
            result = bench.compare(name, 'reports/s', self.ours, self.floor,
                                   goal=1.0, blocks=blocks)
            self.place.account()
        finally:
            self.place.stop_hub()
        result['cpu_ms'] = self.mean_cpu()
        result['statements'] = {
            key: round(value / self.sent, 3)
            for key, value in self.status.items() if key.startswith('Com_')}
        return self


def title(workers):
    return f'throughput {workers} worker{"s" if workers > 1 else ""}'


def tell(bench, setting, name):
    """What the hub asked of the database."""
    bench.record(f'{name}, reports per commit',
                 setting.sent / setting.status['Com_commit'], 'reports')
    statements = sum(setting.status[key] for key in COUNTED
                     if key.startswith('Com_'))
    bench.record(f'{name}, statements per report', statements / setting.sent,
                 'statements')
    bench.record(f'{name}, deadlocks in {setting.sent} reports',
                 setting.status['Innodb_deadlocks'], 'deadlocks', goal=0,
                 above=False, put_off=setting.retried)


def compare_statements(bench, place):
    """The floor says what the hub says for a scan that comes alone."""
    place.rewind()
    place.start_hub(workers=1)
    try:
        ours = place.statements(lambda: place.swarm(reports=1, closing=True))
        floor = place.statements(lambda: place.floor(reports=1, closing=True))
    finally:
        place.stop_hub()
    place.rewind()
    differ = [pair for pair in itertools.zip_longest(ours, floor)
              if pair[0] != pair[1]]
    for one, other in differ:
        print(f'# the hub says   {one}\n# the floor says {other}')
    bench.record('statements of the floor that are not the hub\'s',
                 len(differ), f'of {len(ours)}', goal=0, above=False)


def without_journal(bench, place):
    """What the journal costs: the same hub with and without."""
    def play(journal):
        place.start_hub(workers=2, hub=journal)
        try:
            place.swarm(scanners=place.agents, window=1, reports=WARM,
                        hosts='1-1')
            return place.swarm(scanners=place.agents, window=WINDOW, once=True,
                               **place.walk(BLOCK))['rate']
        finally:
            place.stop_hub()

    place.rewind()
    bench.compare('throughput 2 workers, beside no journal', 'reports/s',
                  lambda: play(''), lambda: play('journal: off'), blocks=7)


def run(bench):
    place = estate.shared(bench)
    compare_statements(bench, place)
    for workers in WORKERS:
        name = title(workers)
        tell(bench, Setting(place, workers).measure(bench, name), name)
    if not bench.full:
        return
    # A scan as a scanner sends it; a subnet's rows are enough for a block.
    for workers in WORKERS:
        name = f'{title(workers)}, whole scans'
        tell(bench, Setting(place, workers, closing=True).measure(bench, name),
             name)
    # How much waits in the hub: as good as nothing, and all that there is room
    # for.
    for workers, window in ((2, 1), (4, 1), (2, 16), (4, 16)):
        name = f'throughput {workers} workers, window {window}'
        tell(bench, Setting(place, workers, window=window).measure(bench,
                                                                  name), name)
    without_journal(bench, place)
    scattered = estate.Estate(bench, 'scattered', order='a.seq, s.seq')
    try:
        name = 'throughput 2 workers, scattered ids'
        tell(bench, Setting(scattered, 2).measure(bench, name), name)
    finally:
        scattered.close()
    alone = estate.Estate(bench, 'alone', agents=1)
    try:
        for workers in WORKERS:
            name = f'{title(workers)}, one scanner'
            tell(bench, Setting(alone, workers, window=16).measure(bench,
                                                                  name), name)
    finally:
        alone.close()
    long = Setting(place, 4, block=1000)
    long.measure(bench, 'throughput 4 workers, blocks of 1,000', blocks=10)
    tell(bench, long, 'throughput 4 workers, blocks of 1,000')

# SPDX-License-Identifier: MPL-2.0
"""The network that is measured with: an organisation's addresses in a real
database, and a hub in front of it.

Subnet n (from 1 on) is the n-th network of its size, else a /24, in 10.0.0.0/8
and belongs to agent 1 + n % agents + 1; its rows are those of its first hosts,
seen an hour ago.  Scanner n speaks for agent n + 2 (agent 1 is phpIPAM's
own)."""

import ipaddress
import re
import subprocess
import time

import benchlib
import harness

FIRST = int(ipaddress.ip_address('10.0.0.0'))
HOSTS = 254         # of a /24
ROWS = 250          # of them are known
DATABASE = (        # options of mariadbd: durable, and memory enough
    '--innodb-flush-log-at-trx-commit=1', '--innodb-buffer-pool-size=2G',
    '--innodb-log-file-size=512M', '--max-connections=300')


def network(subnet, prefix=24):
    """The CIDR of a subnet."""
    size = 1 << 32 - prefix
    return f'{ipaddress.ip_address(FIRST + size * subnet)}/{prefix}'


def code(scanner):
    return f'Agent{scanner:027d}'


def shared(bench):
    """The one of 4,000 subnets and a million rows, filled once for a run.  A
    suite leaves it without a hub."""
    return bench.keep('estate', lambda: Estate(bench, 'estate'))


class Estate:
    """Database and hub of one suite.  'subnets' with 'rows' rows each, spread
    over so many agents, each of which has one key.  'order' of the rows' ids: a
    subnet's follow each other, as those of one scan do, if it is not said
    otherwise."""

    def __init__(self, bench, name, subnets=4000, rows=ROWS, agents=16,
                 prefix=24, order='s.seq, a.seq', **config):
        self.directory = bench.directory / name
        self.directory.mkdir(exist_ok=True)  # a database may fail to start
        self.database = harness.Database(self.directory / 'db',
                                         options=('--', *DATABASE))
        self.order = order
        self.hub = None
        self.config = {'log': 'info', **config}
        try:
            self.shape(subnets, rows, agents, prefix)
        except BaseException:  # interrupted: nobody has it to close
            self.close()
            raise

    @property
    def sql(self):
        return self.database.root

    # The rows.

    def shape(self, subnets, rows, agents, prefix=24):
        """Another network, filled anew; there is no hub meanwhile."""
        self.subnets, self.rows, self.agents = subnets, rows, agents
        self.prefix = prefix
        self.walked = 0
        self.fill()

    def fill(self):
        """By the sequence engine: a million rows take seconds."""
        seen = harness.wall(harness.ago(3600))
        size = 1 << 32 - self.prefix
        for statement in (
                'SET unique_checks = 0',
                'TRUNCATE scanAgents', 'TRUNCATE subnets',
                'TRUNCATE ipaddresses',
                self.agent_rows(0, self.agents),
                'INSERT INTO subnets (id, subnet, mask, sectionId, scanAgent, '
                f'pingSubnet, discoverSubnet) SELECT seq, {FIRST} + {size} * seq, '
                f"'{self.prefix}', 1, 2 + seq % {self.agents}, 1, 1 "
                f'FROM seq_1_to_{self.subnets}',
                'INSERT INTO ipaddresses (subnetId, ip_addr, lastSeen, state) '
                f'SELECT s.seq, {FIRST} + {size} * s.seq + a.seq, '
                f"'{seen}', 2 FROM seq_1_to_{self.subnets} s "
                f'JOIN seq_1_to_{self.rows} a ORDER BY {self.order}',
                'SET unique_checks = 1',
                'ANALYZE TABLE ipaddresses'):
            self.sql.rows(statement)
        self.next_row = self.subnets * self.rows + 1
        self.rewind()  # INSERT ... SELECT takes more ids than it needs

    @staticmethod
    def agent_rows(first, count):
        return ('INSERT INTO scanAgents (id, name, type, code) SELECT seq + 2,'
                " CONCAT('site-', seq), 'mysql', CONCAT('Agent', "
                f"LPAD(seq, 27, '0')) FROM seq_{first}_to_{count - 1}")

    def more_agents(self, count):
        """So many, of which those that are new have no subnet."""
        self.sql.rows(self.agent_rows(self.agents, count))

    def rewind(self):
        """As it was filled, but for lastSeen: new rows are gone, and the walk
        begins anew."""
        self.sql.rows(f'DELETE FROM ipaddresses WHERE id >= {self.next_row}')
        self.sql.rows(f'ALTER TABLE ipaddresses AUTO_INCREMENT = '
                      f'{self.next_row}')
        self.walked = 0
        harness.until(self.is_purged, 'the server purges deleted rows')

    def is_purged(self):
        """Has the server nothing left to do for what was deleted?  It begins
        up to a second later, and that would fall into a block."""
        name = 'Innodb_history_list_length'
        return self.status(name)[name] == 0

    def walk(self, count):
        """The next 'count' subnets, as options of swarm and floor: reported
        whole, each brings as many new rows as it lacks."""
        if self.walked + count > self.subnets:
            self.account()
            self.rewind()
        first = self.walked + 1
        self.walked += count
        return {'from_subnet': first, 'to_subnet': self.walked}

    def walk_alone(self):
        """The same for one scanner, with all its subnets: options of the swarm
        and of the floor."""
        count = self.subnets // self.agents
        if self.walked + count > self.subnets:
            self.account()
            self.rewind()
        scanner = self.walked // count
        self.walked += count
        return ({'first': scanner, 'scanners': 1, 'reports': count},
                {'from_subnet': scanner or self.agents, 'step': self.agents,
                 'reports': count})

    def account(self):
        """The subnets that were walked over have their new rows, no other has,
        and not one id more was used."""
        made = self.rows_now() - self.subnets * self.rows
        used = self.ids_used()
        if not used == made == self.walked * (HOSTS - self.rows):
            raise RuntimeError(f'{self.walked} subnets were reported; rows '
                               f'made: {made}, ids used: {used}')

    def rows_now(self):
        return int(self.sql.value('SELECT COUNT(*) FROM ipaddresses'))

    def ids_used(self):
        """How many ids were given out since it was filled."""
        return int(self.sql.value(
            'SELECT AUTO_INCREMENT FROM information_schema.tables WHERE '
            "table_schema = DATABASE() AND table_name = 'ipaddresses'")
        ) - self.next_row

    def status(self, *names):
        """Counters of the server, as numbers."""
        rows = dict(self.sql.rows('SHOW GLOBAL STATUS'))
        return {name: int(rows[name]) for name in names}

    # Load.

    def floor(self, **options):
        """A run of the bare loop on these rows; 'options' are its own, with
        underscores."""
        env = self.database.env
        password = self.directory / 'password'
        password.touch(0o600)
        password.write_text(env['DB_PASSWORD'])
        return benchlib.program(
            'floor', '--socket', env['DB_SOCKET'], '--user', env['DB_USER'],
            '--password-file', password, '--database', env['DB_NAME'],
            '--subnets', self.subnets, '--agents', self.agents, '--known',
            self.rows, *benchlib.arguments(options))

    def swarm(self, **options):
        """A run of scanhub-swarm against the hub."""
        return benchlib.program(
            'scanhub-swarm', '--endpoint', self.hub.endpoint, '--server-key',
            self.hub.public, '--keys', self.keys, '--subnets', self.subnets,
            '--agents', self.agents, '--prefix', self.prefix, *benchlib.arguments(options))

    def told(self, play):
        """What the server is told meanwhile: by connection, a list of texts
        with an N for each number."""
        log = self.directory / 'general.log'
        log.unlink(missing_ok=True)
        self.sql.rows(f"SET GLOBAL general_log_file = '{log}', "
                      'GLOBAL general_log = 1')
        play()
        self.sql.rows('SET GLOBAL general_log = 0')
        told = {}
        for line in log.read_text().splitlines():
            found = re.match(r'(?:\d+ +[\d:]+)?\s*(\d+) Query\t(.*)', line)
            if found:
                told.setdefault(found[1], []).append(
                    re.sub(r'\d+', 'N', found[2]))
        return told

    def statements(self, play):
        """The same from START TRANSACTION to COMMIT in a play that writes one
        scan."""
        told = '\n'.join('\n'.join(texts) for texts in self.told(play).values())
        found = re.findall(r'START TRANSACTION\n(?:(?!ROLLBACK|COMMIT).*\n)*'
                           r'(?:INSERT INTO ipaddresses|UPDATE subnets).*\n'
                           r'COMMIT', told)
        return '\n'.join(found).split('\n')

    # The hub.

    def start_hub(self, keys=None, **config):
        """With 'keys' scanners registered (as many as there are agents); the
        keys stand in self.keys, a line "PUBLIC SECRET CODE" each."""
        self.hub = harness.Hub(self.directory / f'hub-{time.monotonic_ns()}',
                               self.database, **{**self.config, **config})
        lines = []
        for scanner in range(keys or self.agents):
            public, secret = self.hub.scanner(f'site-{scanner}', code(scanner))
            lines.append(f'{public} {secret} {code(scanner)}\n')
        self.keys = self.hub.directory / 'keys'
        self.keys.touch(0o600)
        self.keys.write_text(''.join(lines))
        self.hub.start()
        return self.hub

    def stop_hub(self):
        if self.hub:
            self.hub.stop()
            self.hub = None

    def close(self):
        self.stop_hub()
        self.database.close()
        subprocess.run(['rm', '-rf', str(self.directory)], check=False)

#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""The tables as different phpIPAMs have them, and the rights on them."""

import subprocess
import sys

sys.dont_write_bytecode = True

import harness
from doctor_stage import finding, findings
from harness import (PRIVATE_DB, SOURCE, SqlError, Stage, ago, case, equal,
                     host, until, wall)

FILES = SOURCE / 'tests' / 'schema'


class Schemas(Stage):
    def load(self, *variants, grants=True):
        """Fresh tables, grants to match, and a hub that sees them anew."""
        self.hub.stop()
        name, user = (self.database.env[key] for key in ('DB_NAME', 'DB_USER'))
        self.sql.rows(f'DROP DATABASE {name}')
        self.sql.rows(f'CREATE DATABASE {name} CHARACTER SET utf8mb4')
        self.sql.rows(f'USE {name}')
        for file in ('phpipam-1.8.2', *variants):
            with open(FILES / f'{file}.sql', encoding='utf-8') as sql:
                subprocess.run(
                    ['mariadb', '--no-defaults', '--user=root', '--socket='
                     + self.database.env['DB_SOCKET'], name], stdin=sql,
                    check=True, timeout=harness.PATIENCE)
        for place in ('localhost', '127.0.0.1'):
            self.sql.rows(f'REVOKE ALL, GRANT OPTION FROM {user}@{place}')
        self.grant()

    def grant(self):
        subprocess.run([PRIVATE_DB, 'grants', self.database.directory,
                        self.database.env['DB_USER']], check=True,
                       timeout=harness.PATIENCE)

    def play_all(self):
        """The main rules, on whatever tables there are."""
        self.reset()
        self.hub.start()
        self.sql.rows('UPDATE settings SET updateTags = 1')
        started = ago(60)
        self.seen_row('10.0.0.5', ago(900), state=1)
        self.seen_row('10.0.0.6', ago(900), state=2)
        verdict = self.applied(
            host('10.0.0.5', started + 1000, name='a.example',
                 mac='02:00:00:00:00:05'),
            host('10.0.0.7', started + 1000, name='b.example'),
            host('10.0.0.255', started + 1000), started=started)
        equal([verdict.get(key, 0) for key in
               ('seen', 'added', 'named', 'macs', 'tagged', 'refused_count')],
              [1, 1, 1, 1, 1, 1])
        self.closing([('10.0.0.1', '10.0.0.254')], started=started)
        equal(self.columns('hostname, mac, state, lastSeen', '10.0.0.5'),
              ('a.example', '02:00:00:00:00:05', '2', wall(started + 1000)))
        equal(self.column('state', '10.0.0.6'), '1')
        equal(self.columns('hostname, state, description', '10.0.0.7'),
              ('b.example', '2', '-- autodiscovered --'))
        equal((self.times(), self.count()), ((wall(started),) * 2, 3))
        until(self.last_access, 'last_access')
        until(lambda: [row['id'] for row in self.peer().assignments()] == [10],
              'assignments')
        equal([row['ip'][3] for row in self.peer().targets(10)], [5, 6, 7])
        found = self.doctor()
        for check in ('tables', 'rights', 'excess', 'columns'):
            equal([result for result, _ in found[check]], ['good'],
                  found[check])

    def doctor(self):
        return findings(self.hub.ctl('doctor', '--json', check=False))


@case('phpIPAM 1.8.2')
def _(s):
    s.load()
    s.play_all()


@case('phpIPAM 1.4.0: no isPool, flags may be NULL')
def _(s):
    s.load('variant-1.4.0')
    s.play_all()
    s.update('subnets', 10, pingSubnet=None, isFolder=None)
    s.applied(host('10.0.0.8'))
    s.update('subnets', 10, discoverSubnet=None)
    s.refused('subnet-disabled')
    s.update('subnets', 10, discoverSubnet='0')
    s.refused('subnet-disabled')


@case('phpIPAM 1.6.0')
def _(s):
    s.load('variant-1.6.0')
    s.play_all()


@case('phpIPAM 1.4.0: excludePing as NULL, 0 and 1')
def _(s):
    s.load('variant-1.4.0')
    s.hub.start()
    s.reset()
    before, seen = ago(900), ago(5)
    for at, exclude in enumerate((None, '0', '1'), 5):
        s.seen_row(f'10.0.0.{at}', before, excludePing=exclude)
    s.applied(*(host(f'10.0.0.{at}', seen) for at in (5, 6, 7)))
    equal([s.column('lastSeen', f'10.0.0.{at}') for at in (5, 6, 7)],
          [wall(seen), wall(seen), wall(before)])
    equal([row['exclude'] for row in s.peer().targets(10)],
          [False, False, True])


@case('tables in three-byte UTF-8')
def _(s):
    s.load('variant-utf8mb3')
    s.play_all()
    s.update('scanAgents', 2, name='Zürich €')
    verdict = s.applied(host('10.0.0.8', name='\U0001f5a8.example'))
    equal(verdict['bad_names'], 1)
    assert s.column('note', '10.0.0.8').endswith('by agent Zürich €')


@case('a text that the table cannot hold: new rows are refused, others not')
def _(s):
    s.load()
    s.sql.rows('ALTER TABLE ipaddresses CONVERT TO CHARACTER SET utf8')
    s.reset()
    s.hub.start()
    s.update('scanAgents', 2, name='site \U0001f5a8')
    s.seen_row('10.0.0.5', ago(900))
    seen = ago(5)
    verdict = s.applied(host('10.0.0.5', seen), host('10.0.0.6', seen))
    equal((verdict['seen'], verdict.get('added', 0), verdict['refused_count'],
           verdict['refused'][0]['cause']), (1, 0, 1, 'host-text'))
    equal((s.column('lastSeen', '10.0.0.5'), s.count()), (wall(seen), 1))


@case('a custom NOT NULL column: new rows are refused, others not')
def _(s):
    s.load('variant-custom-column')
    s.reset()
    s.hub.start()
    s.seen_row('10.0.0.5', ago(900), custom_ticket='T1')
    seen = ago(5)
    mark = s.hub.log_mark()
    verdict = s.applied(host('10.0.0.5', seen, name='a'),
                        host('10.0.0.6', seen), host('10.0.0.7', seen))
    equal((verdict['seen'], verdict['named'], verdict.get('added', 0),
           verdict['refused_count']), (1, 1, 0, 2))
    equal({one['cause'] for one in verdict['refused']}, {'host-column'})
    equal(s.columns('lastSeen, hostname, custom_ticket', '10.0.0.5'),
          (wall(seen), 'a', 'T1'))
    equal(s.count(), 1)
    assert 'custom_ticket' in s.hub.log_from(mark), 'the log names the column'
    finding(s.doctor(), 'columns', 'error', 'ipaddresses.custom_ticket')
    s.sql.rows("ALTER TABLE ipaddresses MODIFY custom_ticket VARCHAR(32) "
               "NOT NULL DEFAULT ''")
    equal(s.applied(host('10.0.0.6', seen))['added'], 1)


@case('a custom column with a default does no harm')
def _(s):
    s.load()
    s.sql.rows("ALTER TABLE ipaddresses ADD custom_a INT NOT NULL DEFAULT 7, "
               'ADD custom_b TEXT')
    s.play_all()
    equal(s.columns('custom_a, custom_b', '10.0.0.7'), ('7', None))


@case('tables that are too old: said clearly, nothing written')
def _(s):
    s.load('variant-1.3.0-too-old')
    s.reset()
    s.hub.start(wait=False)
    done = s.hub.ctl('ping', '--wait', '2', check=False)
    assert done.returncode, 'it says that it is ready'
    assert '1.4.0' in done.stderr and 'missing' in done.stderr, done.stderr
    finding(s.doctor(), 'tables', 'error', '1.3.0 is too old')
    finding(s.doctor(), 'rights', 'error', 'hostname', 'ipaddresses')
    before = s.tables()
    message = s.report().part([host('10.0.0.5')])
    s.peer().send(message)
    verdict = s.peer().wait('verdict')
    equal((verdict['result'], verdict['cause']), ('retry', 'database-schema'))
    equal(s.tables(), before)
    assert s.last_access() is None


@case('after the tables were upgraded the hub goes on by itself')
def _(s):
    s.load('variant-1.3.0-too-old')
    s.reset()
    s.hub.start(wait=False)
    assert s.hub.ctl('ping', '--wait', '1', check=False).returncode
    s.sql.rows('ALTER TABLE ipaddresses CHANGE dns_name hostname VARCHAR(255)')
    s.sql.rows('ALTER TABLE subnets ADD resolveDNS BOOL DEFAULT 0')
    s.sql.rows('ALTER TABLE settings ADD dbversion INT DEFAULT 0')
    s.grant()
    s.hub.ready()
    s.applied(host('10.0.0.5', name='a'))
    equal(s.column('hostname', '10.0.0.5'), 'a')


@case('a missing right: said clearly, and nothing is half written')
def _(s):
    s.load()
    s.reset()
    s.hub.start()
    s.sql.rows('UPDATE settings SET updateTags = 1')
    s.seen_row('10.0.0.5', ago(900), state=2)
    user = s.database.env['DB_USER']
    s.sql.rows(f'REVOKE UPDATE (lastScan) ON subnets FROM {user}@localhost')
    before, mark = s.tables(), s.hub.log_mark()
    message = s.report().closing([('10.0.0.1', '10.0.0.254')])
    s.peer().send(message)
    verdict = s.peer().wait('verdict')
    equal((verdict['result'], verdict['cause']), ('retry', 'database-rights'))
    equal(s.tables(), before)
    assert 'lastScan' in s.hub.log_from(mark), 'the log names the column'
    s.grant()
    equal(s.peer().deliver(message)[0]['result'], 'applied')
    equal(s.column('state', '10.0.0.5'), '1')


@case('a password that is wrong: said clearly')
def _(s):
    s.load()
    s.reset()
    user = s.database.env['DB_USER']
    s.sql.rows(f"SET PASSWORD FOR {user}@localhost = PASSWORD('other')")
    try:
        s.hub.start(wait=False)
        done = s.hub.ctl('ping', '--wait', '1', check=False)
        assert done.returncode and 'database.user' in done.stderr, done.stderr
    finally:
        s.sql.rows(f'SET PASSWORD FOR {user}@localhost = PASSWORD('
                   f"'{s.database.env['DB_PASSWORD']}')")
    s.hub.ready()


@case('the tests\' own account may do no more than the hub must')
def _(s):
    s.load()
    s.reset()
    s.hub.start()
    s.address('10.0.0.5')
    account = harness.Session(s.database, s.database.env['DB_USER'])
    s.extra.append(account)
    equal(account.value('SELECT COUNT(id) FROM ipaddresses'), '1')
    for sql in ("UPDATE ipaddresses SET description = 'x'",
                'UPDATE ipaddresses SET subnetId = 11',
                'DELETE FROM ipaddresses', 'UPDATE subnets SET scanAgent = 2',
                "UPDATE scanAgents SET code = 'x'", 'SELECT owner FROM '
                'ipaddresses', 'SELECT * FROM subnets', 'TRUNCATE ipTags'):
        try:
            account.rows(sql)
        except SqlError as error:
            assert 'denied' in str(error), error
        else:
            raise AssertionError(f'may {sql}')


if __name__ == '__main__':
    sys.exit(harness.main(Schemas, long=True))

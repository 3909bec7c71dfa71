#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""The database in trouble, a real one in each kind.  The hub stays up, nothing
is lost or written twice, readiness says what is the matter, and when it is
over all goes on without help.  Locks that rows have are in concurrency.py."""

import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True

import harness
from database_stage import Trouble
from harness import (Database, Hub, Session, Skip, SqlError, ago, case, equal,
                     host, until, wall)

WHOLE = [('10.0.0.1', '10.0.0.254')]


def private_mounts():
    """Words before a command that give it mounts of its own."""
    for words in (['unshare', '--mount'],
                  ['unshare', '--map-root-user', '--mount']):
        try:
            done = subprocess.run(
                [*words, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], check=False,
                stdin=subprocess.DEVNULL, capture_output=True, timeout=10)
        except FileNotFoundError:
            break
        if done.returncode == 0:
            return words
    raise Skip('mount namespaces cannot be had here')


# --- the server goes away ------------------------------------------------------

@case('the server is stopped and started: told to wait, then applied')
def _(s):
    s.seen_row('10.0.0.5', ago(900))
    s.database.stop()
    s.not_ready('error 2002')
    seen = ago(5)
    message = s.put_off('database-unavailable', 5000, s.report().part(
        [host('10.0.0.5', seen), host('10.0.0.6', seen)]))
    equal(len(s.peer().assignments()), 1, 'assignments, from memory')
    s.database.start()
    s.ready(by_itself=True)
    equal(s.again(message)['added'], 1)
    equal([s.column('lastSeen', f'10.0.0.{at}') for at in (5, 6)],
          [wall(seen)] * 2)


@case('the server is killed at work: each row once')
def _(s):
    other = s.database.session()
    s.extra.append(other)
    s.seen_row('10.0.0.5', ago(900))
    other.rows('BEGIN')
    other.rows("UPDATE ipaddresses SET note = 'x'")
    seen = ago(5)
    message = s.report().part([host(f'10.0.0.{at}', seen) for at in (5, 6)])
    s.peer().send(message)
    until(s.database.blocked, 'the hub is at work', 10)
    s.database.kill()
    verdict = s.peer().wait('verdict', id=message['id'])
    equal((verdict['result'], verdict['cause']),
          ('retry', 'database-unavailable'))
    s.not_ready('error 2002')
    s.database.start()
    equal(s.count(), 1)
    s.again(message)
    s.ready()
    equal([s.columns('note, lastSeen', f'10.0.0.{at}') for at in (5, 6)][0],
          (None, wall(seen)))
    equal(s.count(), 2)


@case('connections that are killed again and again: each row once')
def _(s):
    subnets = range(10, 18)
    for subnet in subnets[1:]:
        s.subnet(subnet, f'10.0.{subnet - 10}.0/24')
    seen = ago(5)
    messages = [s.report(subnet, f'10.0.{subnet - 10}.0/24').part(
        [host(f'10.0.{subnet - 10}.{last}', seen) for last in range(1, 51)])
        for subnet in subnets]
    killed = 0
    for message in messages:
        s.peer().send(message)
        killed += s.drop_connections()
    assert killed, 'no connection was killed'
    for _ in messages:
        s.peer().wait('verdict')
    for message in messages:
        s.again(message)
    equal(s.sql.row('SELECT COUNT(*), COUNT(DISTINCT subnetId, ip_addr), '
                    'MIN(lastSeen), MAX(lastSeen) FROM ipaddresses'),
          ('400', '400', wall(seen), wall(seen)))


# --- failover ------------------------------------------------------------------

class NamedHub(Hub):
    """Finds the database by a name, in a hosts file of its own."""

    name = 'db.scanhub.test'

    def __init__(self, directory, database, words):
        super().__init__(directory, database)
        self.words = words
        self.hosts = self.directory / 'hosts'

    def database_place(self):
        return (f'  host: {self.name}\n  port: {self.database.env["DB_PORT"]}\n'
                '  tls: off')

    def command(self):
        return [*self.words, 'sh', '-c',
                'mount --bind "$1" /etc/hosts && shift && exec "$@"', 'sh',
                str(self.hosts), *super().command()]

    def lead_to(self, address):
        """In place: what is mounted is the file, not its name."""
        with open(self.hosts, 'w', encoding='ascii') as file:
            file.write(f'{address} {self.name}\n')


def second_server(s):
    """Another server with the same tables, on 127.0.0.2 and the same port."""
    env = s.database.env
    other = Database(s.directory / f'db-{time.monotonic_ns()}', options=[
        '--port', env['DB_PORT'], '--', '--bind-address=127.0.0.2'])
    s.extra.append(other)
    other.root.rows(f"SET PASSWORD FOR {s.user}@127.0.0.1 = "
                    f"PASSWORD('{env['DB_PASSWORD']}')")
    first, s.database = s.database, other
    try:
        s.reset()
    finally:
        s.database = first
    return other


def in_read_only(s, hub):
    before = s.tables()
    message = s.put_off('database-unavailable', 5000, hub=hub)
    s.not_ready('read-only', hub=hub)
    equal(s.tables(), before, 'the read-only server')
    return message


@case('read-only after a failover: the name is looked up anew')
def _(s):
    words, second = private_mounts(), second_server(s)
    hub = NamedHub(s.directory / f'named-{time.monotonic_ns()}', s.database,
                   words)
    hub.scanner('site-a', harness.CODE_A)
    hub.lead_to('127.0.0.1')
    hub.start()
    s.extra.append(hub)
    s.again(s.report().part([host('10.0.0.5')]), hub)
    equal(s.count(), 1)
    s.sql.rows('SET GLOBAL read_only = 1')
    try:
        message = in_read_only(s, hub)
        # An account that may write all the same must not.
        s.sql.rows(f'GRANT READ ONLY ADMIN ON *.* TO {s.user}@127.0.0.1')
        s.drop_connections()
        in_read_only(s, hub)
        hub.lead_to('127.0.0.2')
        s.again(message, hub)
        s.ready(hub)
        equal(second.root.value('SELECT COUNT(*) FROM ipaddresses'), '1')
        equal(s.count(), 1)
    finally:
        s.sql.rows(f'REVOKE READ ONLY ADMIN ON *.* FROM {s.user}@127.0.0.1')
        s.sql.rows('SET GLOBAL read_only = 0')


@case('read-only for a while: told to wait, then applied')
def _(s):
    s.sql.rows('SET GLOBAL read_only = 1')
    try:
        message = in_read_only(s, None)
    finally:
        s.sql.rows('SET GLOBAL read_only = 0')
    s.again(message)
    s.ready()
    equal(s.count(), 1)


# --- connections ---------------------------------------------------------------

@case('too many connections: told to wait, and what to raise')
def _(s):
    others = []
    s.sql.rows('SET GLOBAL max_connections = 10')
    try:
        s.drop_connections()
        while len(others) < 20:
            others.append(Session(s.database))
            try:
                others[-1].rows('DO 0')
            except (SqlError, OSError):
                break
        s.drop_connections()
        s.not_ready('error 1040', 'max_connections')
        message = s.put_off('database-unavailable', 5000)
    finally:
        for other in others:
            other.close()
        s.sql.rows('SET GLOBAL max_connections = 151')
    s.again(message)
    s.ready()


@case('the account has one connection: told to wait, and what to raise')
def _(s):
    # 1226; 1203 is the same by --max-user-connections, for all accounts.
    limit = f'ALTER USER {s.user}@localhost WITH MAX_USER_CONNECTIONS '
    s.sql.rows(limit + '1')
    taker = None
    try:
        s.drop_connections()
        taker = until(lambda: take_connection(s), 'the one connection')
        s.not_ready('error 1226', 'max_connections')
        message = s.put_off('database-unavailable', 5000)
    finally:
        if taker:
            taker.close()
        s.sql.rows(limit + '0')
    s.again(message)
    s.ready()


def take_connection(s):
    """The account's one connection, if the hub does not have it."""
    taker = Session(s.database, s.user)
    try:
        taker.rows('DO 0')
        return taker
    except (SqlError, OSError):
        taker.close()
        s.drop_connections()
        return None


@case('the password is changed: said at the next connection, and it goes on')
def _(s):
    change = f'ALTER USER {s.user}@localhost IDENTIFIED BY '
    old = s.database.env['DB_PASSWORD']
    s.sql.rows(change + "'other'")
    try:
        # Connections that there are live on.
        s.applied(host('10.0.0.5'))
        s.drop_connections()
        s.not_ready('error 1045', 'database.user')
        message = s.put_off('database-rights', 60000)
        s.sql.rows(change + f"'{old}'")
        s.again(message)
        s.ready()
        # A new one takes a new file and a restart.
        s.sql.rows(change + "'fresh'")
        s.database.env['DB_PASSWORD'] = 'fresh'
        s.drop_connections()
        s.not_ready('error 1045')
        s.hub.restart()
        s.applied(host('10.0.0.5'))
    finally:
        s.database.env['DB_PASSWORD'] = old
        s.sql.rows(change + f"'{old}'")
        s.hub.restart()


# --- room ----------------------------------------------------------------------

class SmallDatabase(Database):
    """On a disk of its own, a small one."""

    def __init__(self, directory, words, size):
        self.inside = Path(directory)
        self.inside.mkdir()
        self.words, self.size = words, size
        self.socket = self.inside.with_name(self.inside.name + '.sock')
        super().__init__(directory)

    def command(self):
        return [*self.words, 'sh', '-c',
                'mount -t tmpfs -o "size=$1,mode=0700" tmpfs "$2" && shift 2 '
                '&& exec "$@"', 'sh', self.size, str(self.inside),
                str(harness.PRIVATE_DB), 'serve', str(self.inside),
                '--socket', str(self.socket)]

    @property
    def directory(self):
        """What is on that disk is seen through the process."""
        return Path(f'/proc/{self.process.pid}/root{self.inside}')

    @directory.setter
    def directory(self, _):
        pass

    def fill(self):
        try:
            with open(self.directory / 'filler', 'wb', buffering=0) as filler:
                while filler.write(bytes(65536)):
                    pass
        except OSError:
            pass

    def free(self):
        (self.directory / 'filler').unlink()


@case('the disk is full: told to wait, and what to do')
def _(s):
    first, s.database = s.database, SmallDatabase(
        s.directory / f'small-{time.monotonic_ns()}', private_mounts(), '180m')
    s.extra.append(s.database)
    try:
        s.reset()
        s.subnet(20, '10.20.0.0/16')
        hub = s.new_hub(f'small-hub-{time.monotonic_ns()}')
        s.extra.append(hub)
        hub.start()
        s.seen_row('10.0.0.5', ago(900))
        s.database.fill()
        seen = ago(5)
        message = s.put_off('database-unavailable', 5000, s.report(
            20, '10.20.0.0/16').part([
                host(f'10.20.{at // 250}.{at % 250 + 1}', seen, name=f'n{at}')
                for at in range(4000)]), hub)
        s.not_ready('reports cannot be written', 'error 1114', 'free room',
                    hub=hub)
        equal(s.count(20), 0)
        # What needs no room is still written.
        s.again(s.report().part([host('10.0.0.5', seen)]), hub)
        equal(s.column('lastSeen', '10.0.0.5'), wall(seen))
        s.database.free()
        s.again(message, hub)
        s.ready(hub)
        equal(s.count(20), 4000)
    finally:
        s.database = first


# --- a lock on the agents ---------------------------------------------------------

@case('a lock on scanAgents: no verdict waits for last_access')
def _(s):
    hub = s.new_hub(f'touches-{time.monotonic_ns()}', workers=1)
    s.extra.append(hub)
    hub.start()
    s.again(s.report().part([host('10.0.0.5')]), hub)
    until(s.last_access, 'last_access')
    s.sql.rows("UPDATE scanAgents SET last_access = '2000-01-01'")
    other = s.database.session()
    s.extra.append(other)
    other.rows('BEGIN')
    other.rows('SELECT id FROM scanAgents FOR UPDATE')
    took, mark = [], hub.log_mark()
    for last in range(6, 12):
        begun = time.monotonic()
        s.again(s.report().part([host(f'10.0.0.{last}')]), hub)
        took.append(time.monotonic() - begun)
        if last == 6:
            # The touch itself is what the worker waits for now.
            until(lambda: 'last_access not written' in hub.log_from(mark),
                  'given up', 20)
    assert max(took) < 4, f'a verdict took {max(took):.1f} s'
    equal(hub.log_from(mark).count('last_access not written'), 1)
    other.rows('COMMIT')


# --- phpIPAM's tables change under a running hub --------------------------------

@case('a table is gone and comes back')
def _(s):
    for table in ('ipaddresses', 'ipTags'):
        s.sql.rows(f'RENAME TABLE {table} TO away')
        try:
            message = s.put_off('database-schema', 60000)
            s.not_ready(table)
        finally:
            s.sql.rows(f'RENAME TABLE away TO {table}')
        s.again(message)
        s.ready()


@case('a column is renamed away and comes back')
def _(s):
    s.applied(host('10.0.0.5', name='a'))
    s.sql.rows('ALTER TABLE ipaddresses RENAME COLUMN hostname TO dns_name')
    try:
        message = s.put_off('database-schema', 60000, s.report().part(
            [host('10.0.0.6', name='b')]))
        s.not_ready('ipaddresses.hostname', '1.4.0 to 1.8.2')
    finally:
        s.sql.rows('ALTER TABLE ipaddresses RENAME COLUMN dns_name TO hostname')
    s.again(message)
    s.ready()
    equal(s.column('hostname', '10.0.0.6'), 'b')


def first_address(s):
    """Wait until 10.0.0.0 is taken for an address, as isPool has it."""
    until(lambda: not s.applied(host('10.0.0.0')).get('refused_count'),
          'isPool is seen', 20)


@case('isPool goes and comes, as upgrades have it: seen without a restart')
def _(s):
    s.update('subnets', 10, isPool=1)
    first_address(s)
    s.sql.rows('ALTER TABLE subnets DROP COLUMN isPool')
    try:
        # The first report after it meets the old statement, the next does not.
        message = s.put_off('database-schema', 60000, s.report().part(
            [host('10.0.0.0'), host('10.0.0.6')]))
        s.peer().send(message)
        verdict = s.peer().wait('verdict', id=message['id'])
        equal((verdict['result'], verdict['refused_count']), ('applied', 1))
    finally:
        s.sql.rows('ALTER TABLE subnets ADD isPool BOOL NOT NULL DEFAULT 0')
        s.grant()
    s.update('subnets', 10, isPool=1)
    first_address(s)
    s.ready()


@case('a custom column without a default: new hosts are refused until it has')
def _(s):
    s.seen_row('10.0.0.5', ago(900))
    s.sql.rows('ALTER TABLE ipaddresses ADD custom_a VARCHAR(9) NOT NULL')
    try:
        seen = ago(5)
        verdict = s.applied(host('10.0.0.5', seen), host('10.0.0.6', seen))
        equal((verdict['seen'], verdict.get('added', 0),
               verdict['refused'][0]['cause']), (1, 0, 'host-column'))
        equal((s.count(), s.column('lastSeen', '10.0.0.5')), (1, wall(seen)))
        s.sql.rows("ALTER TABLE ipaddresses ALTER custom_a SET DEFAULT ''")
        equal(s.applied(host('10.0.0.6', seen))['added'], 1)
    finally:
        s.sql.rows('ALTER TABLE ipaddresses DROP custom_a')


@case('a text that three-byte UTF-8 cannot hold: new hosts are refused')
def _(s):
    s.sql.rows('ALTER TABLE ipaddresses CONVERT TO CHARACTER SET utf8mb3')
    try:
        s.update('scanAgents', 2, name='site \U0001f5a8')
        s.seen_row('10.0.0.5', ago(900))
        seen = ago(5)
        verdict = s.applied(host('10.0.0.5', seen), host('10.0.0.6', seen))
        equal((verdict['seen'], verdict.get('added', 0),
               verdict['refused'][0]['cause']), (1, 0, 'host-text'))
        equal((s.count(), s.column('lastSeen', '10.0.0.5')), (1, wall(seen)))
    finally:
        s.sql.rows('ALTER TABLE ipaddresses CONVERT TO CHARACTER SET utf8mb4 '
                   'COLLATE utf8mb4_unicode_ci')


@case('a snapshot that is isolated: 1020 at worst, both writers\' values stay')
def _(s):
    if not s.sql.rows("SHOW VARIABLES LIKE 'innodb_snapshot_isolation'"):
        raise Skip('this server has no innodb_snapshot_isolation')
    s.sql.rows('SET GLOBAL innodb_snapshot_isolation = 1')
    s.drop_connections()
    try:
        s.seen_row('10.0.0.5', ago(900))
        other = s.database.session()
        s.extra.append(other)
        other.rows('BEGIN')
        other.rows("UPDATE ipaddresses SET note = 'typed'")
        seen = ago(5)
        message = s.report().part([host('10.0.0.5', seen, name='found')])
        s.peer().send(message)
        until(s.database.blocked, 'the hub waits', 10)
        other.rows('COMMIT')
        equal(s.peer().wait('verdict')['result'], 'applied')
        equal(s.columns('note, lastSeen, hostname', '10.0.0.5'),
              ('typed', wall(seen), 'found'))
    finally:
        s.sql.rows('SET GLOBAL innodb_snapshot_isolation = 0')
        s.drop_connections()


@case('maintenance mode: nothing is written, assignments are served')
def _(s):
    s.seen_row('10.0.0.5', ago(900))
    until(lambda: s.peer().assignments(), 'assignments')
    until(s.last_access, 'last_access, by the hello')
    s.sql.rows('UPDATE scanAgents SET last_access = NULL')
    s.sql.rows('UPDATE settings SET maintaneanceMode = 1')
    try:
        before = s.tables()
        closing = s.put_off('maintenance', 30000, s.report().closing(WHOLE))
        message = s.put_off('maintenance', 30000)
        s.not_ready('maintenance mode')
        # An upgrade is at work on the tables.
        change = 'UPDATE subnets SET editDate = editDate, scanAgent = '
        s.sql.rows(change + 'NULL')
        s.hub.reload()
        s.sql.rows('ALTER TABLE ipaddresses RENAME COLUMN hostname TO away')
        s.put_off('maintenance', 30000, message)
        s.not_ready('maintenance mode')
        equal([row['id'] for row in s.peer().assignments()], [10])
        s.sql.rows('ALTER TABLE ipaddresses RENAME COLUMN away TO hostname')
        s.sql.rows(change + '2')
        equal(len(s.peer().targets(10)), 1, 'targets')
        equal(s.tables(), before)
        assert s.last_access() is None, 'last_access'
    finally:
        s.sql.rows('UPDATE settings SET maintaneanceMode = 0')
    s.ready(by_itself=True)
    equal(s.again(message)['seen'], 1)
    s.again(closing)


if __name__ == '__main__':
    sys.exit(harness.main(Trouble, long=True))

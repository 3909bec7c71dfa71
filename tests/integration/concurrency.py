#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Others write at the same time: phpIPAM's own pages, a second report, a
second hub.  A session of our own holds a lock, so that the hub has read the
rows and cannot write yet; what that session then commits must not be lost."""

import sys
import time

sys.dont_write_bytecode = True

import harness
from harness import (CODE_A, Stage, ago, case, decimal, equal, host,
                     until, wall)

MADE = '-- autodiscovered --'
WHOLE = [('10.0.0.1', '10.0.0.254')]
MAC_OLD, MAC_NEW = '02:00:00:00:00:01', '02:00:00:00:00:02'


class Concurrency(Stage):
    def new_hub(self, name, **config):
        hub = super().new_hub(name, **config)
        hub.scanner('site-a-too', CODE_A)
        return hub

    def meanwhile(self, sql, message, end='COMMIT'):
        """Have the hub work on a message, and between its reading and its
        writing change rows by 'sql' in a session of a person; the verdict."""
        other = self.database.session()
        self.extra.append(other)
        other.rows('BEGIN')
        other.rows(sql)
        self.peer().send(message)
        until(self.database.blocked, 'the hub waits for the lock', 10)
        other.rows(end)
        return self.peer().wait('verdict', id=message['id'],
                                part=message['part'])

    def hosts_meanwhile(self, sql, *hosts, end='COMMIT'):
        verdict = self.meanwhile(sql, self.report().part(list(hosts)), end)
        equal(verdict['result'], 'applied', f'verdict {verdict}')
        return verdict

    def closing_meanwhile(self, sql):
        verdict = self.meanwhile(sql, self.report().closing(WHOLE))
        equal(verdict['result'], 'applied', f'verdict {verdict}')
        return verdict


def person(changes, address='10.0.0.5'):
    return f"UPDATE ipaddresses SET {changes} WHERE ip_addr = " \
           f"'{decimal(address)}'"


# --- a person writes between the hub's read and its write ---------------------

@case('lastSeen: the later one stays')
def _(s):
    s.seen_row('10.0.0.5', ago(900))
    later = wall(ago(50))
    s.hosts_meanwhile(person(f"lastSeen = '{later}'"),
                      host('10.0.0.5', ago(100)))
    equal(s.column('lastSeen', '10.0.0.5'), later)


@case('lastSeen: the hub\'s stays if that is the later one')
def _(s):
    s.seen_row('10.0.0.5', ago(900))
    seen = ago(50)
    s.hosts_meanwhile(person(f"lastSeen = '{wall(ago(100))}'"),
                      host('10.0.0.5', seen))
    equal(s.column('lastSeen', '10.0.0.5'), wall(seen))


@case('lastSeen: emptied meanwhile, it is set')
def _(s):
    s.seen_row('10.0.0.5', ago(900))
    seen = ago(50)
    s.hosts_meanwhile(person('lastSeen = NULL'), host('10.0.0.5', seen))
    equal(s.column('lastSeen', '10.0.0.5'), wall(seen))


@case('hostname: what was typed into an empty field stays')
def _(s):
    s.seen_row('10.0.0.5', ago(900))
    s.hosts_meanwhile(person("hostname = 'typed'"),
                      host('10.0.0.5', name='found'))
    equal(s.column('hostname', '10.0.0.5'), 'typed')


@case('hostname: what was typed over an old one stays, also with follow')
def _(s):
    s.hub.policy('policy: {hostname: follow}')
    s.seen_row('10.0.0.5', ago(900), hostname='old')
    s.hosts_meanwhile(person("hostname = 'typed'"),
                      host('10.0.0.5', name='found'))
    equal(s.column('hostname', '10.0.0.5'), 'typed')


@case('hostname: another letter case typed meanwhile stays, too')
def _(s):
    s.hub.policy('policy: {hostname: follow}')
    s.seen_row('10.0.0.5', ago(900), hostname='old')
    s.hosts_meanwhile(person("hostname = 'OLD'"),
                      host('10.0.0.5', name='found'))
    equal(s.column('hostname', '10.0.0.5'), 'OLD')


@case('mac: what was typed into an empty field stays')
def _(s):
    s.seen_row('10.0.0.5', ago(900))
    s.hosts_meanwhile(person(f"mac = '{MAC_OLD}'"),
                      host('10.0.0.5', mac=MAC_NEW))
    equal(s.column('mac', '10.0.0.5'), MAC_OLD)


@case('mac: what was typed over an old one stays, also with follow')
def _(s):
    s.hub.policy('policy: {mac: follow}')
    s.seen_row('10.0.0.5', ago(900), mac=MAC_OLD)
    s.hosts_meanwhile(person("mac = '02:00:00:00:00:77'"),
                      host('10.0.0.5', mac=MAC_NEW))
    equal(s.column('mac', '10.0.0.5'), '02:00:00:00:00:77')


@case('description: a row that a person took over is followed no more')
def _(s):
    s.seen_row('10.0.0.5', ago(900), description=MADE, hostname='old',
               mac=MAC_OLD)
    s.hosts_meanwhile(person("description = 'mine now'"),
                      host('10.0.0.5', name='found', mac=MAC_NEW))
    equal(s.columns('description, hostname, mac', '10.0.0.5'),
          ('mine now', 'old', MAC_OLD))


@case('state: a row that is DHCP no more is followed no more')
def _(s):
    s.seen_row('10.0.0.5', ago(900), state=4, hostname='old', mac=MAC_OLD)
    s.hosts_meanwhile(person('state = 3'),
                      host('10.0.0.5', name='found', mac=MAC_NEW))
    equal(s.columns('state, hostname, mac', '10.0.0.5'), ('3', 'old', MAC_OLD))


@case('state: a tag that a person set stays though the host was seen')
def _(s):
    s.sql.rows('UPDATE settings SET updateTags = 1')
    s.seen_row('10.0.0.5', ago(900), state=1)
    s.hosts_meanwhile(person('state = 3'), host('10.0.0.5'))
    equal(s.column('state', '10.0.0.5'), '3')


@case('state: a tag that a person set stays though the host was silent')
def _(s):
    s.sql.rows('UPDATE settings SET updateTags = 1')
    s.seen_row('10.0.0.5', ago(900), state=2)
    s.closing_meanwhile(person('state = 3'))
    equal(s.column('state', '10.0.0.5'), '3')


@case('state: who was seen by another meanwhile does not become Offline')
def _(s):
    s.sql.rows('UPDATE settings SET updateTags = 1')
    s.seen_row('10.0.0.5', ago(900), state=2)
    s.seen_row('10.0.0.6', ago(900), state=2)
    s.closing_meanwhile(person(f"lastSeen = '{wall(harness.now_ms() + 2000)}'"))
    equal([s.column('state', f'10.0.0.{at}') for at in (5, 6)], ['2', '1'])


@case('excludePing: a row that was excluded meanwhile is left alone')
def _(s):
    s.sql.rows('UPDATE settings SET updateTags = 1')
    s.seen_row('10.0.0.5', ago(900), state=1)
    before = s.column('lastSeen', '10.0.0.5')
    s.hosts_meanwhile(person('excludePing = 1'),
                      host('10.0.0.5', name='found', mac=MAC_NEW))
    equal(s.columns('lastSeen, hostname, mac, state', '10.0.0.5'),
          (before, None, None, '1'))


@case('a row that was moved to another subnet is left alone')
def _(s):
    s.subnet(11, '10.0.0.0/23', sectionId=2)
    s.seen_row('10.0.0.5', ago(900))
    before = s.column('lastSeen', '10.0.0.5')
    s.hosts_meanwhile(person('subnetId = 11'),
                      host('10.0.0.5', name='found', mac=MAC_NEW))
    equal(s.columns('lastSeen, hostname, mac', '10.0.0.5', 11),
          (before, None, None))
    equal(s.count(10), 0)


@case('a row that was deleted does not come back by the same report')
def _(s):
    s.seen_row('10.0.0.5', ago(900))
    s.seen_row('10.0.0.6', ago(900))
    seen = ago(5)
    s.hosts_meanwhile("DELETE FROM ipaddresses WHERE ip_addr = "
                      f"'{decimal('10.0.0.5')}'",
                      host('10.0.0.5', seen), host('10.0.0.6', seen))
    equal(s.count(), 1)
    equal(s.column('lastSeen', '10.0.0.6'), wall(seen))


@case('a row that another inserted first is kept and then confirmed')
def _(s):
    seen = ago(5)
    verdict = s.hosts_meanwhile(
        "INSERT INTO ipaddresses (subnetId, ip_addr, description, hostname) "
        f"VALUES (10, '{decimal('10.0.0.5')}', 'by hand', 'typed')",
        host('10.0.0.4', seen), host('10.0.0.5', seen, name='found'),
        host('10.0.0.6', seen))
    equal((verdict['added'], verdict['seen']), (2, 1))
    equal(s.columns('description, hostname, lastSeen', '10.0.0.5'),
          ('by hand', 'typed', wall(seen)))
    equal(s.count(), 3)


@case('a row that another took back before it was there is inserted')
def _(s):
    verdict = s.hosts_meanwhile(
        'INSERT INTO ipaddresses (subnetId, ip_addr) VALUES '
        f"(10, '{decimal('10.0.0.5')}')", host('10.0.0.5'), end='ROLLBACK')
    equal((verdict['added'], s.column('description', '10.0.0.5')), (1, MADE))


# --- the subnet changes before the hub gets its lock --------------------------

def subnet_meanwhile(s, changes, cause):
    before = s.sql.rows('SELECT * FROM ipaddresses')
    verdict = s.meanwhile(changes, s.report().part([host('10.0.0.5')]))
    equal((verdict['result'], verdict.get('cause')), ('refused', cause))
    equal(s.sql.rows('SELECT * FROM ipaddresses'), before)


@case('a subnet that was given to another agent is refused')
def _(s):
    subnet_meanwhile(s, 'UPDATE subnets SET scanAgent = 3 WHERE id = 10',
                     'subnet-not-assigned')


@case('a subnet that was deleted is refused')
def _(s):
    subnet_meanwhile(s, 'DELETE FROM subnets WHERE id = 10', 'subnet-unknown')


@case('a subnet that was renumbered is refused')
def _(s):
    subnet_meanwhile(s, 'UPDATE subnets SET mask = 23 WHERE id = 10',
                     'cidr-mismatch')


@case('discovery that was switched off inserts nothing')
def _(s):
    verdict = s.hosts_meanwhile(
        'UPDATE subnets SET discoverSubnet = 0 WHERE id = 10',
        host('10.0.0.5'))
    equal((s.count(), verdict['skipped']), (0, 1))


@case('lastScan that moved on meanwhile is not moved back')
def _(s):
    later = ago(50)
    message = s.report(started=ago(100)).closing(WHOLE)
    s.meanwhile(f"UPDATE subnets SET lastScan = '{wall(later)}', "
                f"lastDiscovery = '{wall(later)}' WHERE id = 10", message)
    equal(s.times(), (wall(later),) * 2)


# --- the database gets in the way --------------------------------------------

@case('a lock that is held longer than the hub waits: sent again, applied')
def _(s):
    s.seen_row('10.0.0.5', ago(900))
    other = s.database.session()
    s.extra.append(other)
    other.rows('BEGIN')
    other.rows(person("hostname = 'typed'"))
    seen, mark = ago(5), s.hub.log_mark()
    message = s.report().part([host('10.0.0.5', seen)])
    s.peer().send(message)
    until(lambda: '1205' in s.hub.log_from(mark), 'the hub gives up once', 15)
    other.rows('COMMIT')
    first = s.peer().wait('verdict', id=message['id'])
    if first['result'] == 'retry':
        equal(first['cause'], 'database-busy')
        s.peer().send(message)
        first = s.peer().wait('verdict', id=message['id'])
    equal(first['result'], 'applied')
    equal(s.columns('lastSeen, hostname', '10.0.0.5'), (wall(seen), 'typed'))


@case('a deadlock is survived, both writers\' rows are there')
def _(s):
    for at in (5, 6):
        s.seen_row(f'10.0.0.{at}', ago(900))
    other = s.database.session()
    s.extra.append(other)
    other.rows('BEGIN')
    other.rows(person("note = 'a'", '10.0.0.6'))
    seen = ago(5)
    message = s.report().part([host(f'10.0.0.{at}', seen) for at in (5, 6)])
    s.peer().send(message)
    until(s.database.blocked, 'the hub waits', 10)
    try:
        other.rows(person("note = 'b'", '10.0.0.5'))
        other.rows('COMMIT')
        mine = ['b', 'a']
    except harness.SqlError as error:
        assert '1213' in str(error), error
        mine = [None, None]
    equal(s.peer().deliver(message)[0]['result'], 'applied')
    equal([s.columns('note, lastSeen', f'10.0.0.{at}') for at in (5, 6)],
          [(note, wall(seen)) for note in mine])


@case('a connection that is killed at work: tried again, written once')
def _(s):
    s.seen_row('10.0.0.5', ago(900))
    other = s.database.session()
    s.extra.append(other)
    other.rows('BEGIN')
    other.rows(person("note = 'x'"))
    message = s.report().part([host('10.0.0.5'), host('10.0.0.6')])
    s.peer().send(message)
    until(s.database.blocked, 'the hub waits', 10)
    s.sql.rows('KILL ' + s.sql.value(
        'SELECT id FROM information_schema.processlist WHERE user = '
        f"'{s.database.env['DB_USER']}' AND info LIKE 'UPDATE ipaddresses%'"))
    other.rows('COMMIT')
    verdict = s.peer().wait('verdict', id=message['id'])
    equal((verdict['result'], verdict.get('cause')),
          ('retry', 'database-unavailable'))
    equal(s.count(), 1)
    equal(s.peer().deliver(message)[0]['added'], 1)
    equal((s.count(), s.column('note', '10.0.0.5')), (2, 'x'))


# --- several reports, several hubs --------------------------------------------

def contents(s):
    return s.sql.rows('SELECT subnetId, ip_addr, lastSeen, hostname, state '
                      'FROM ipaddresses ORDER BY subnetId, ip_addr + 0')


@case('two reports of one subnet at once: each row once, the newest time')
def _(s):
    times = [ago(80), ago(60)]
    reports = [s.report(started=at).part(
        [host(f'10.0.0.{last}', at) for last in range(1, 201)])
        for at in times]
    for _ in range(3):
        s.peer('site-a').send(reports[0])
        s.peer('site-a-too').send(reports[1])
        for name, report in zip(('site-a', 'site-a-too'), reports):
            verdict = s.peer(name).wait('verdict', id=report['id'])
            equal(verdict['result'], 'applied')
    equal(contents(s), [('10', decimal(f'10.0.0.{last}'), wall(times[1]),
                         None, '2') for last in range(1, 201)])


@case('two reports of one subnet in one batch: the older knows of the newer')
def _(s):
    times = [ago(seconds) for seconds in (5000, 500, 50)]
    s.sql.rows("UPDATE subnets SET lastScan = '{0}', lastDiscovery = '{0}'"
               .format(wall(times[0])))
    newer, older = s.report(started=times[2]), s.report(started=times[1])
    sent = [('site-a', newer.closing(WHOLE)),
            ('site-a-too', older.part([host('10.0.0.5', ago(490))])),
            ('site-a-too', older.closing(WHOLE, 1))]
    other = s.database.session()
    s.extra.append(other)
    other.rows('BEGIN')
    other.rows("UPDATE subnets SET description = 'x' WHERE id = 10")
    first = s.report().part([host('10.0.0.6')])
    s.peer().send(first)
    s.peer('site-a-too')
    until(s.database.blocked, 'the worker waits', 10)
    for number, (name, message) in enumerate(sent, 1):
        s.peer(name).send(message)
        until(lambda: s.hub.status()['queues']['waiting'] >= number,
              'it is in the queue')
    other.rows('COMMIT')
    for name, message in sent:
        verdict = s.peer(name).wait('verdict', id=message['id'],
                                    part=message['part'])
        equal(verdict['result'], 'applied')
    equal((s.count(), s.times()), (1, (wall(times[2]),) * 2))


def both_hubs(s, name='site-a'):
    """A second hub on the same database, and a peer of either."""
    second = s.new_hub(f'second-{time.monotonic_ns()}')
    s.extra.append(second)
    second.start()
    return s.peer(name), second.peer(name, harness.PATIENCE)


@case('two hubs on one database: the same report to both')
def _(s):
    peers = both_hubs(s)
    report = s.report(started=ago(60))
    seen = ago(30)
    parts = [report.part([host(f'10.0.0.{last}', seen, name=f'h{last}')
                          for last in range(first, first + 50)], number)
             for number, first in enumerate(range(1, 201, 50))]
    for message in parts:
        for peer in peers:
            peer.send(message)
    added = 0
    for message in parts:
        for peer in peers:
            verdict = peer.wait('verdict', id=message['id'],
                                part=message['part'])
            equal(verdict['result'], 'applied')
            added += verdict.get('added', 0)
    equal(added, 200)
    equal(contents(s), [('10', decimal(f'10.0.0.{last}'), wall(seen),
                         f'h{last}', '2') for last in range(1, 201)])
    for peer in peers:
        peer.deliver(report.closing(WHOLE, len(parts), up=200))
    equal(s.times(), (wall(report.head['started']),) * 2)


@case('two hubs on one database: reports of two subnets, crosswise')
def _(s):
    s.subnet(11, '10.0.1.0/24')
    peers = both_hubs(s)
    moments = [ago(80), ago(60)]
    sent = []
    for peer, order, moment in zip(peers, ((10, 11), (11, 10)), moments):
        for subnet in order:
            net = f'10.0.{subnet - 10}'
            message = s.report(subnet, f'{net}.0/24', started=moments[0]).part(
                [host(f'{net}.{last}', moment) for last in range(1, 255)])
            peer.send(message)
            sent.append((peer, message))
    for peer, message in sent:
        verdict = peer.wait('verdict', id=message['id'])
        equal(verdict['result'], 'applied')
    equal(contents(s), [(str(subnet), decimal(f'10.0.{subnet - 10}.{last}'),
                         wall(moments[1]), None, '2')
                        for subnet in (10, 11) for last in range(1, 255)])


@case('two hubs tell the same revision')
def _(s):
    s.subnet(11, '10.0.1.0/24')
    s.hub.reload()
    peers = both_hubs(s)

    def revisions():
        for peer in peers:
            peer.send({'v': 1, 't': 'assignments'})
        pages = [peer.wait('assignments-page') for peer in peers]
        return {page['rev'] for page in pages if len(page['subnets']) == 2}
    until(lambda: len(revisions()) == 1, 'both have read the assignments')


if __name__ == '__main__':
    sys.exit(harness.main(Concurrency))

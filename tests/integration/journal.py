#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""The journal: what reports did, told by scanhubctl, and taken back by SQL that
it prints and a person runs."""

import contextlib
import ipaddress
import json
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time

sys.dont_write_bytecode = True

import harness
from harness import Stage, ago, case, equal, host, until, wall

MAC = '02:00:00:00:00:%02x'


class Journal(Stage):
    def ctl(self, *args, status=0):
        done = self.hub.ctl(*args, check=False)
        if done.returncode != status:
            raise AssertionError(f'scanhubctl {" ".join(args)}: exit '
                                 f'{done.returncode}: {done.stdout}'
                                 f'{done.stderr}')
        wide = [line for line in done.stdout.splitlines() if len(line) > 80]
        if '--json' not in args and '--sql' not in args and wide:
            raise AssertionError(f'over 80 columns: {wide}')
        return done

    def json(self, *args):
        return json.loads(self.ctl(*args, '--json').stdout)

    def reports(self, *args):
        return self.json('reports', *args)['reports']

    def newest(self, **wanted):
        """The newest report, when it has come in and says that."""
        def look():
            self.ready()
            found = self.reports('--limit', '1')
            return found and all(found[0].get(key) == value for key, value
                                 in wanted.items()) and found[0]
        return until(look, f'a report with {wanted}')

    def run_sql(self, sql):
        """As a person does, by the client of the database."""
        env = self.database.env
        subprocess.run(['mariadb', '--no-defaults', '--user=root',
                        f'--socket={env["DB_SOCKET"]}', env['DB_NAME']],
                       input=sql, text=True, check=True, timeout=30)

    def addresses(self):
        return self.sql.rows('SELECT id, subnetId, ip_addr, hostname, mac, '
                             'state, description, note, editDate FROM '
                             'ipaddresses ORDER BY id')

    def forget(self):
        """A journal with nothing in it."""
        self.hub.stop()
        for path in self.hub.directory.glob('journal.db*'):
            path.unlink()
        self.hub.start()
        self.ready()

    def ready(self):
        """Until the journal can be asked."""
        until(lambda: not self.hub.ctl('reports', check=False).returncode,
              'the journal is there')

    def age(self, sql):
        """Make lines of the journal older than they are."""
        with contextlib.closing(sqlite3.connect(
                self.hub.directory / 'journal.db', timeout=10)) as file:
            file.execute(sql)
            file.commit()


@case('reports, why and undo, and what a person typed meanwhile stays')
def _(s):
    s.forget()
    s.sql.rows('UPDATE settings SET updateTags = 1')
    s.subnet(11, '10.9.0.0/28')
    old = 'm\u00fcller;\n-- \u20ac'
    s.seen_row('10.9.0.1', ago(900), 11, state=2, hostname=old,
               description='-- autodiscovered --')
    s.seen_row('10.9.0.2', ago(900), 11, state=1, hostname='')
    s.seen_row('10.9.0.3', ago(900), 11, state=2)
    nasty = "a\\'; -- b"  # what may be in the table already
    s.sql.rows(f'UPDATE ipaddresses SET mac = {harness.literal(nasty)}, '
               'editDate = NULL WHERE id = 1')
    before = s.addresses()
    started = ago(60)
    report = s.report(11, '10.9.0.0/28', started=started)
    message = report.part([
        host('10.9.0.1', started + 1000, name='new.example', mac=MAC % 1),
        host('10.9.0.2', started + 1000, name='two.example'),
        host('10.9.0.4', started + 1000, name='four.example', mac=MAC % 4),
        host('10.9.0.5', started + 1000),
        host('10.9.0.6', started + 1000, name='six.example'),
        host('10.0.0.9', started + 1000)])
    equal(s.peer().deliver(message)[0]['result'], 'applied')
    s.newest(subnet=11, closed=False, parts=1)
    message = report.closing([('10.9.0.1', '10.9.0.14')], complete=True, up=5)
    equal(s.peer().deliver(message)[0]['result'], 'applied')
    one = s.newest(subnet=11, closed=True)
    equal([one[key] for key in ('seen', 'new', 'named', 'macs', 'tagged',
                                'offline', 'refused', 'parts', 'scanner',
                                'agent', 'result', 'kind', 'door')],
          [2, 3, 2, 1, 1, 1, 1, 2, 'site-a', 'site-a', 'applied', 'both',
           'curve'])
    equal((one['started'], one['cidr']), (started, '10.9.0.0/28'))
    number = str(one['report'])
    text = s.ctl('reports').stdout
    assert re.search(rf'{number} .*site-a +10\.9\.0\.0/28', text), text
    for word in ('3 new', '1 offline', '1 refused'):
        assert word in ' '.join(text.split()), text

    text = ' '.join(s.ctl('why', '10.9.0.4').stdout.split())
    for word in ('new row:', 'hostname four.example', 'mac 02:00:00:00:00:04',
                 'tag Used', f' {number} site-a'):
        assert word in text, (word, text)
    changes = s.json('why', '10.9.0.1')['changes']
    equal({one['column']: (one['before'], one['after']) for one in changes},
          {'hostname': (old, 'new.example'),
           'mac': (nasty, MAC % 1)})
    text = ' '.join(s.ctl('why', '10.9.0.3').stdout.split())
    assert 'tag: Used -> Offline' in text, text
    text = s.ctl('why', '10.9.0.9').stdout
    assert 'No report has changed' in text, text

    done = s.ctl('undo', number, status=64)
    assert '--sql' in done.stderr and 'delete 3 new rows' in done.stderr, done
    s.update('ipaddresses', s.sql.value(
        "SELECT id FROM ipaddresses WHERE hostname = 'six.example'"),
        owner='a person')
    s.sql.rows("UPDATE ipaddresses SET hostname = 'typed.example' WHERE "
               "hostname = 'two.example'")
    s.run_sql(s.ctl('undo', number, '--sql').stdout)
    after = s.addresses()
    equal(after[0], before[0])
    equal(after[1][3:6], ('typed.example', before[1][4], '1'))
    equal(after[2], before[2])
    equal([row[3] for row in after[3:]], ['six.example'])
    again = s.addresses()
    s.run_sql(s.ctl('undo', number, '--sql').stdout)  # twice does no harm
    equal(s.addresses(), again)


@case('a part that is sent twice is one part, and changes nothing twice')
def _(s):
    message = s.report().part([host('10.0.0.5', name='a.example')])
    for _ in range(3):
        equal(s.peer().deliver(message)[0]['result'], 'applied')
    one = s.newest(subnet=10, new=1)
    time.sleep(0.3)
    one = s.newest(subnet=10)
    equal((one['parts'], one['seen'], one['new']), (1, 0, 1))
    equal([change['column'] for change in s.json('why', '10.0.0.5')['changes']
           if change['report'] == one['report']],
          ['state', 'hostname', 'lastSeen'])


@case('undo of many long texts comes in pages that are short enough')
def _(s):
    s.hub.policy('policy: {hostname: follow}')
    s.subnet(11, '10.8.0.0/22')
    first = ipaddress.ip_address('10.8.0.10')
    rows = ', '.join(f"(11, '{int(first) + at}', REPEAT(CHAR(1), 255), "
                     f"'{wall(ago(900))}')" for at in range(900))
    s.sql.rows('INSERT INTO ipaddresses (subnetId, ip_addr, hostname, '
               f'lastSeen) VALUES {rows}')
    verdict = s.applied(*[host(str(first + at), name='new.example')
                          for at in range(900)],
                        subnet=11, cidr='10.8.0.0/22')
    equal(verdict['named'], 900)
    one = s.newest(named=900)
    said = s.ctl('undo', str(one['report']), '--sql').stdout
    equal(said.count('UPDATE ipaddresses SET hostname = '), 900)


@case('what was rolled back is not in the journal')
def _(s):
    s.sql.rows('ALTER TABLE ipaddresses ADD custom_x INT NOT NULL')
    try:
        s.seen_row('10.0.0.5', ago(900), hostname='', custom_x=1)
        s.applied(host('10.0.0.5', name='a.example'),
                  host('10.0.0.6', name='b.example'))
        one = s.newest(named=1)
        equal((one['new'], one['refused']), (0, 1))
        changes = s.json('why', '10.0.0.6')['changes']
        equal([x for x in changes if x['report'] == one['report']], [])
        changes = s.json('why', '10.0.0.5')['changes']
        equal([x['after'] for x in changes if x['report'] == one['report']],
              ['a.example'])

        # Two parts that share a transaction, of which one undoes both.
        s.seen_row('10.0.0.7', ago(900), hostname='', custom_x=1)
        other = s.database.session()
        s.extra.append(other)
        other.rows('START TRANSACTION')
        other.rows('SELECT id FROM subnets WHERE id = 10 FOR UPDATE')
        messages = [s.report().part([host(address, name='c.example')])
                    for address in ('10.0.0.5', '10.0.0.7', '10.0.0.8')]
        s.peer().send(messages[0])
        until(s.database.blocked, 'the worker waits')
        for message in messages[1:]:
            s.peer().send(message)
        time.sleep(0.3)
        other.rows('COMMIT')
        for message in messages:
            equal(s.peer().wait('verdict', id=message['id'])['result'],
                  'applied')
        until(lambda: [x['refused'] for x in s.reports('--limit', '2')]
              in ([1, 0], [0, 1]), 'both reports')
        equal([x['column'] for x in s.json('why', '10.0.0.7')['changes']],
              ['hostname'])
    finally:
        s.sql.rows('ALTER TABLE ipaddresses DROP custom_x')


@case('refusals by cause, with scanner, subnet and what to do')
def _(s):
    s.forget()
    s.update('subnets', 10, scanAgent=3)
    s.refused('subnet-not-assigned')
    s.refused('subnet-not-assigned')
    s.update('subnets', 10, scanAgent=2)
    s.applied(host('10.0.0.7'), host('10.0.0.255'), host('10.1.0.1'))
    s.sql.rows('UPDATE settings SET maintaneanceMode = 1')
    try:
        message = s.report().part([host('10.0.0.8')])
        s.peer().send(message)
        verdict = s.peer().wait('verdict', id=message['id'])
        equal((verdict['result'], verdict['cause']), ('retry', 'maintenance'))
    finally:
        s.sql.rows('UPDATE settings SET maintaneanceMode = 0')
    found = until(lambda: len(got := s.json('refusals')['refusals']) >= 4
                  and {one['cause']: one for one in got}, 'refusals')
    equal({cause: (one['count'], one['of'], one['scanner'], one['subnet'])
           for cause, one in found.items()},
          {'subnet-not-assigned': (2, 'part', 'site-a', 10),
           'host-broadcast': (1, 'host', 'site-a', 10),
           'host-outside': (1, 'host', 'site-a', 10),
           'maintenance': (1, 'part', 'site-a', 10)})
    text = ' '.join(s.ctl('refusals').stdout.split())
    assert 'another scan agent' in text and 'put off, maintenance' in text, text
    equal(s.json('refusals', '--scanner', 'site-b')['refusals'], [])
    equal(len(s.json('refusals', '--subnet', '10')['refusals']), 4)
    equal(s.reports('--limit', '1')[0]['result'], 'retry')
    equal([one['result'] for one in s.reports('--subnet', '10.0.0.0/24')],
          ['retry', 'applied', 'refused', 'refused'])
    s.hub.ready()


@case('digest: new, gone, another MAC; and nothing is nothing')
def _(s):
    s.forget()
    s.sql.rows('UPDATE settings SET updateTags = 1')
    equal(s.ctl('digest', '--since', '1h').stdout, '')
    started = ago(30)
    s.seen_row('10.0.0.6', ago(900), state=2, mac='02:00:00:00:00:06',
               description='-- autodiscovered --')
    s.seen_row('10.0.0.8', ago(900), state=2)
    report = s.report(started=started)
    s.applied(host('10.0.0.5', name='five.example'),
              host('10.0.0.6', mac='02:00:00:00:00:66'), started=started)
    s.closing([('10.0.0.1', '10.0.0.254')], report=report)
    s.newest(offline=1)
    text = s.ctl('digest').stdout
    for line in ('New addresses: 1', 'Gone (tag Offline): 1', 'Another MAC: 1'):
        assert line in text, text
    flat = ' '.join(text.split())
    assert '02:00:00:00:00:06 -> 02:00:00:00:00:66' in flat, text
    assert '\x1b' not in text
    got = s.json('digest')
    equal([[one['ip'] for one in got[kind]]
           for kind in ('new', 'offline', 'mac')],
          [['10.0.0.5'], ['10.0.0.8'], ['10.0.0.6']])
    equal((got['silent_agents'], got['silent_subnets']), ([], []))
    s.applied(host('10.0.0.8'))  # is back
    s.newest(tagged=1)
    equal(s.json('digest')['offline'], [])
    time.sleep(1.1)
    equal(s.ctl('digest', '--since', '1s').stdout, '')


@case('digest: a day on which very much happened is told in full length')
def _(s):
    s.sql.rows("UPDATE scanAgents SET name = REPEAT('a', 120) WHERE id = 2")
    s.sql.rows('UPDATE settings SET updateTags = 1')
    s.hub.policy('policy: {mac: follow, max_new: off, max_offline: off}')
    net = ipaddress.ip_network('2001:db8:aaaa:bbbb:cccc::/64', strict=False)
    first = net[0xffffffffffff0000]
    s.subnet(11, str(net))
    rows = ', '.join(f"(11, '{int(first) + at}', 2, '00:11:22:33:44:55', "
                     f"'{wall(ago(900))}', '-- autodiscovered --')"
                     for at in range(3000))
    s.sql.rows('INSERT INTO ipaddresses (subnetId, ip_addr, state, mac, '
               f'lastSeen, description) VALUES {rows}')
    report = s.report(11, str(net))
    verdicts = s.peer().deliver(
        report.part([host(str(first + at), mac='00-11-22-33-44-66')
                     for at in range(1500)]),
        report.part([host(str(first + at)) for at in range(3000, 4500)], 1),
        report.closing([(str(first), str(first + 4500))], part=2))
    equal([(one.get('added'), one.get('macs'), one.get('tagged'))
           for one in verdicts],
          [(None, 1500, None), (1500, None, None), (None, None, 1500)])
    s.newest(closed=True, new=1500)
    got = s.json('digest')
    for kind in ('new', 'offline', 'mac'):
        assert got['counts'][kind] >= 1500, got['counts']
        assert 200 < len(got[kind]) < 1500, len(got[kind])
    assert ' more' in s.ctl('digest').stdout


@case('digest: a subnet from which nothing comes any more')
def _(s):
    s.forget()
    s.subnet(11, '10.9.0.0/28')
    s.subnet(12, '10.9.1.0/28')
    until(lambda: '10.9.0.0/28' in s.ctl('subnets').stdout, 'the subnet')
    s.applied(host('10.0.0.5'))
    s.applied(host('10.9.0.5'), subnet=11, cidr='10.9.0.0/28')
    s.newest(subnet=11)
    equal(s.json('digest', '--since', '1h')['silent_subnets'], [])  # cannot be known
    s.age("UPDATE state SET begun = 1")
    s.age("UPDATE report SET written = written - 7200000 WHERE subnet = 11")
    got = s.json('digest', '--since', '1h')
    equal([(one['subnet'], one['agent'], one['last'] > 0)
           for one in got['silent_subnets']],
          [(11, 'site-a', True), (12, 'site-a', False)])
    assert 'Silent subnets' in s.ctl('digest', '--since', '1h').stdout
    s.ctl('pause', '11')
    s.ctl('pause', '12')
    equal(s.json('digest', '--since', '1h')['silent_subnets'], [])
    s.ctl('resume', '11')
    s.ctl('resume', '12')
    s.agent(4, 'site-c', 'AgentC0000000000000000000000000C')
    s.subnet(13, '10.9.2.0/28', scanAgent=4)
    s.sql.rows('UPDATE scanAgents SET last_access = '
               f"'{harness.wall(ago(2 * 86400))}' WHERE id = 4")
    got = until(lambda: (got := s.json('digest'))['silent_agents'] and got,
                'a silent agent')
    one, = got['silent_agents']
    equal((one['agent'], (one['deleted_by'] - one['last']) // 1000),
          ('site-c', 7 * 86400))
    assert 13 not in [one['subnet'] for one in got['silent_subnets']]
    text = s.ctl('digest').stdout
    assert 'Silent scan agents: 1' in text and 'CLEAN-UP' in text, text


@case('the hub is killed: what it wrote is there, and the next one goes on')
def _(s):
    s.applied(host('10.0.0.5', name='a.example'))
    number = s.newest(new=1)['report']
    for at in range(20):
        s.hosts(host(f'10.0.0.{100 + at}'))
    s.hub.process.send_signal(signal.SIGKILL)
    s.hub.process.wait()
    s.hub.process = None
    s.end_case()
    s.hub.start()
    s.ready()
    assert number in [one['report'] for one in s.reports('--limit', '100')]
    s.applied(host('10.0.0.6', name='b.example'))
    assert s.newest(new=1)['report'] > number
    equal(list(s.hub.directory.glob('*.broken-*')), [])


@case('a journal that cannot be written delays and refuses nothing')
def _(s):
    s.hub.stop()
    for path in s.hub.directory.glob('journal.db*'):
        path.unlink()
    (s.hub.directory / 'journal.db').mkdir()
    try:
        mark = s.hub.log_mark()
        s.hub.start()
        s.applied(host('10.0.0.5'))
        until(lambda: 'the journal cannot be written' in s.hub.log_from(mark),
              'a word about it')
        done = s.ctl('reports', status=1)
        assert 'not a regular file' in done.stderr, done.stderr
        s.hub.stop()
    finally:
        (s.hub.directory / 'journal.db').rmdir()
    s.hub.start()
    s.ready()
    s.applied(host('10.0.0.6'))
    s.newest(subnet=10)


@case('a journal that is off')
def _(s):
    s.hub.restart(hub='journal: off')
    try:
        s.applied(host('10.0.0.5'))
        for words in (['reports'], ['why', '10.0.0.5'], ['refusals'],
                      ['undo', '1', '--sql'], ['digest']):
            assert 'keeps no journal' in s.ctl(*words, status=1).stderr
    finally:
        s.hub.restart(hub='')


@case('a preview is told as one, and what the brake held as held')
def _(s):
    s.hub.policy('policy:\n  preview: true\n')
    verdict = s.hosts(host('10.0.0.5'), host('10.0.0.6'))
    equal(verdict['result'], 'noted')
    one = s.newest(result='noted', parts=1)
    equal([one[key] for key in ('new', 'held')], [0, verdict['held']])
    text = ' '.join(s.ctl('reports', '--limit', '1').stdout.split())
    assert 'preview only' in text and '2 held at first' in text, text
    s.hub.policy('policy:\n  max_new: 1\n')
    s.sql.rows('UPDATE subnets SET lastScan = NOW() - INTERVAL 1 DAY, '
               'lastDiscovery = NOW() - INTERVAL 1 DAY')
    verdict = s.applied(host('10.0.0.5'), host('10.0.0.6'))
    one = s.newest(result='applied', parts=1, held=verdict['held'])
    equal((verdict['held'], one['new']), (2, 0))
    since = s.json('why', '10.0.0.6')['changes']
    equal([change for change in since if change['report'] == one['report']], [])


def events(s):
    return s.sql.rows('SELECT severity, date, username, ipaddr, command, '
                      'details FROM logs ORDER BY id')


def rights_on_logs(s, given):
    user = s.database.env['DB_USER']
    for place in ('localhost', '127.0.0.1'):
        change = ('GRANT', 'TO') if given else ('REVOKE', 'FROM')
        s.sql.rows(f'{change[0]} INSERT (severity, date, username, ipaddr, '
                   f'command, details) ON logs {change[1]} {user}@{place}')


@case('phpipam_log: a row for each new host, as phpIPAM tells it')
def _(s):
    s.sql.rows('TRUNCATE logs')
    s.applied(host('10.0.0.4'))
    s.hub.policy('phpipam_log: events')
    rights_on_logs(s, True)
    s.hub.restart()
    before = harness.now_ms()
    s.applied(host('10.0.0.5', name='a.example', mac=MAC % 5),
              host('10.0.0.6'), host('10.0.0.4'))
    rows = until(lambda: len(got := events(s)) >= 2 and got, 'events')
    equal([row[0] for row in rows], ['0', '0'])
    equal([row[2:5] for row in rows], [(None, None, 'Address create')] * 2)
    assert harness.wall(before) <= rows[0][1] <= harness.wall(harness.now_ms())
    for word in ('site-a', '10.0.0.5', 'a.example', MAC % 5):
        assert word in rows[0][5], rows[0]
    s.applied(host('10.0.0.5'))  # no news
    s.hub.policy('')
    s.applied(host('10.0.0.7'))
    time.sleep(0.5)
    equal(len(events(s)), 2)


@case('phpipam_log without the right: said with the GRANT, and in nobody\'s way')
def _(s):
    s.sql.rows('TRUNCATE logs')
    rights_on_logs(s, True)
    rights_on_logs(s, False)
    s.hub.policy('phpipam_log: events')
    s.hub.restart(workers=1)
    try:
        mark = s.hub.log_mark()
        for at in range(5, 15):
            s.applied(host(f'10.0.0.{at}'))
            time.sleep(0.05)
        log = until(lambda: 'GRANT INSERT' in (text := s.hub.log_from(mark))
                    and text, 'the remedy')
        equal(log.count('GRANT INSERT'), 1)
        equal(log.count('1142'), 1)
        s.hub.ready()
        rights_on_logs(s, True)
        s.hub.restart()
        s.applied(host('10.0.0.55'))
        until(lambda: len(events(s)) == 1, 'an event')
    finally:
        s.hub.restart(workers=2)


@case('phpipam_log: a table that is locked holds up no verdict')
def _(s):
    rights_on_logs(s, True)
    s.sql.rows('TRUNCATE logs')
    s.hub.policy('phpipam_log: events')
    s.hub.restart()
    other = s.database.session()
    s.extra.append(other)
    other.rows('LOCK TABLES logs WRITE')
    begun = time.monotonic()
    s.applied(host('10.0.0.5'))
    assert time.monotonic() - begun < 3
    other.rows('UNLOCK TABLES')
    until(lambda: len(events(s)) == 1, 'the event')


@case('wrong calls')
def _(s):
    for words in (['reports', 'x'], ['reports', '--limit', '0'],
                  ['reports', '--since', 'never'], ['refusals', '--limit', '3'],
                  ['reports', '--scanner', 'a b'], ['why'], ['why', 'x'],
                  ['undo'], ['undo', 'x', '--sql'], ['digest', '--subnet', '1'],
                  ['reports', '--since', '0s']):
        done = s.ctl(*words, status=64)
        assert done.stderr and not done.stdout, words
    assert 'no report 999999' in s.ctl('undo', '999999', '--sql',
                                       status=1).stderr
    s.ctl('reports', '--subnet', '10.77.0.0/24', status=1)


@case('requests that make no sense get a clear error')
def _(s):
    s.ready()
    huge = '9' * 100
    for request in ('reports', 'reports 1', f'reports {huge} 0 - -',
                    'reports 0 0 x -', 'reports 0  0 - -', 'reports 0 0 - - -',
                    'report 1', f'report {huge} 0', 'report -1 0', 'report 1 0 ',
                    'why', 'why x 0', 'why 10.0.0.5', 'why 10.0.0.5 0 0',
                    'refusals 0 -', 'refusals a - -', "refusals 0 - x';--",
                    'digest', 'digest x', f'digest {huge}', 'digest -5'):
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(10)
            control.connect(str(s.hub.directory / 'control.sock'))
            control.sendall(request.encode() + b'\n')
            answer = b''
            while data := control.recv(65536):
                answer += data
        assert answer.startswith((b'ok {', b'error ')), (request, answer[:99])
        if answer.startswith(b'ok'):
            json.loads(answer[3:])
    s.hub.ready()


if __name__ == '__main__':
    sys.exit(harness.main(Journal, slow=True))

#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""What the hub holds instead of writing it, and what becomes of it: previews,
the brake, and scanhubctl preview."""

import ipaddress
import json
import os
import re
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True

import harness
from harness import (CODE_A, CODE_B, Stage, ago, case, equal, host, until,
                     wall)
from peer import Report, now_ms

WIDE = '10.9.0.0/23'
OFFLINE, USED, RESERVED, DHCP = '1', '2', '3', '4'
MADE = '-- autodiscovered --'


class Previews(Stage):
    def reset(self):
        super().reset()
        if self.hub.process and self.list():
            self.hub.ctl('preview', 'drop', '--all')

    def list(self, *args):
        return json.loads(self.hub.ctl('preview', 'list', '--json',
                                       *args).stdout)

    def only(self):
        """The one entry that there is."""
        entries = self.list()
        equal(len(entries), 1, f'entries {entries}')
        return entries[0]

    def show(self, number):
        return json.loads(self.hub.ctl('preview', 'show', str(number),
                                       '--json').stdout)

    def lines(self, number):
        """What it would change, as a set."""
        return {(one['action'], one['address'], one['column'], one['before'],
                 one['after']) for one in self.show(number)['lines']}

    def apply(self, number):
        """It must be applied; the result."""
        out = self.hub.ctl('preview', 'apply', str(number), '--json').stdout
        return json.loads(out)[0]

    def wide(self, **columns):
        """A /23 that was scanned before."""
        self.subnet(20, WIDE, lastScan=wall(ago(7200)),
                    lastDiscovery=wall(ago(7200)), **columns)

    def wide_report(self, **fields):
        return Report(20, WIDE, started=now_ms() - 1000, **fields)

    def crowd(self, count=300, first='10.9.0.10', **more):
        base = ipaddress.ip_address(first)
        return [host(str(base + at), **more) for at in range(count)]

    def send(self, message, peer='site-a'):
        """The first verdict, whatever it is."""
        one = self.peer(peer)
        one.send(message)
        return one.wait('verdict', id=message['id'])

    def tag(self, address, subnet=10):
        return self.column('state', address, subnet)


def tags_on(s):
    s.sql.rows('UPDATE settings SET updateTags = 1')


# --- preview ----------------------------------------------------------------

@case('under preview the whole road is gone and nothing is written')
def _(s):
    tags_on(s)
    s.hub.policy('policy: {preview: true}')
    s.seen_row('10.0.0.5', ago(5000), state=1, hostname='old.example',
               description=MADE)
    s.seen_row('10.0.0.6', ago(50), hostname='kept.example', description='hand')
    before = s.tables()
    report = s.report()
    new = host('10.0.0.7', ago(3), name='new.example', mac='00-1A-2B-00-00-01')
    verdict = s.send(report.part(
        [host('10.0.0.5', ago(4), name='fresh.example'), host('10.0.0.6'), new,
         host('10.0.0.0'), host('10.0.9.9')]))
    equal((verdict['result'], verdict['held']), ('noted', 3))
    assert not verdict.get('added') and not verdict.get('seen'), verdict
    equal(s.send(report.closing([('10.0.0.1', '10.0.0.254')]))['result'],
          'noted')
    equal(s.tables(), before)
    until(s.last_access, 'the scanner is there, so last_access moves')

    one = s.only()
    equal((one['reason'], one['subnet'], one['cidr'], one['scanner'],
           one['agent'], one['code'], one['parts'], one['changes']),
          ('preview', 10, '10.0.0.0/24', 'site-a', 'site-a', CODE_A, 2, 3))
    lines = s.lines(one['number'])
    start = wall(report.head['started'])
    for line in (('insert', '10.0.0.7', 'hostname', None, 'new.example'),
                 ('insert', '10.0.0.7', 'mac', None, '00:1a:2b:00:00:01'),
                 ('insert', '10.0.0.7', 'lastSeen', None, wall(new['seen'])),
                 ('update', '10.0.0.5', 'hostname', 'old.example',
                  'fresh.example'),
                 ('update', '10.0.0.5', 'state', OFFLINE, USED),
                 ('refuse', '10.0.0.0', None, None, 'host-network'),
                 ('refuse', '10.0.9.9', None, None, 'host-outside'),
                 ('update', '10.0.0.0', 'lastScan', None, start),
                 ('update', '10.0.0.0', 'lastDiscovery', None, start)):
        assert line in lines, (line, lines)
    assert not any(line[1] == '10.0.0.6' and line[2] != 'lastSeen'
                   for line in lines), lines
    equal(s.hub.counter('parts_noted') > 0, True)


@case('a preview beside an old agent, compared and applied')
def _(s):
    s.hub.policy('policy: {subnets: {10: {preview: true}}}')
    s.seen_row('10.0.0.5', ago(5000), description=MADE)
    report = s.report(started=ago(60))
    equal(s.send(report.part([host('10.0.0.5', ago(30), name='five.example'),
                              host('10.0.0.6', ago(30), name='six.example'),
                              host('10.0.0.7', ago(30))]))['result'], 'noted')
    # Meanwhile the old agent inserts one and a person names another.
    s.seen_row('10.0.0.6', ago(10), hostname='six.example', state=2,
               description=MADE)
    s.sql.rows("UPDATE ipaddresses SET hostname = 'typed', description = "
               "'mine' WHERE ip_addr = '167772165'")
    result = s.apply(s.only()['number'])
    equal((result['state'], result['added'], result['named']), ('done', 1, 0))
    differs = {(one['address'], one['column'], one['listed'], one['made'])
               for one in result['differs']}
    equal(differs, {('10.0.0.5', 'hostname', 'five.example', None),
                    ('10.0.0.6', 'state', USED, None)})
    equal(s.column('hostname', '10.0.0.5'), 'typed')
    equal(s.column('lastSeen', '10.0.0.6') >= wall(ago(12)), True)
    equal(s.columns('description, state', '10.0.0.7'), (MADE, USED))
    equal(s.list(), [])


@case('what a person does meanwhile stays, whatever the policy')
def _(s):
    tags_on(s)
    s.hub.policy('policy: {preview: true, hostname: follow, mac: follow}')
    for at in (4, 5, 6, 7, 8):
        s.seen_row(f'10.0.0.{at}', ago(5000), state=1, hostname='old.example',
                   mac='00:11:22:33:44:55')
    s.send(s.report().part([host(f'10.0.0.{at}', name=f'n{at}.example',
                                 mac='00:11:22:33:44:66')
                            for at in range(4, 10)]))
    typed = "UPDATE ipaddresses SET {} WHERE ip_addr = '{}'"
    for what, address in (("hostname = 'typed.example'", '10.0.0.5'),
                          ("hostname = ''", '10.0.0.6'),
                          ("state = 3, mac = 'AA-BB-CC-DD-EE-FF'",
                           '10.0.0.7')):
        s.sql.rows(typed.format(what, harness.decimal(address)))
    s.sql.rows('DELETE FROM ipaddresses WHERE ip_addr = '
               f"'{harness.decimal('10.0.0.8')}'")
    result = s.apply(s.only()['number'])
    fresh = '00:11:22:33:44:66'
    rows = [s.columns('hostname, mac, state', f'10.0.0.{at}')
            for at in range(4, 10)]
    equal(rows, [('n4.example', fresh, USED), ('typed.example', fresh, USED),
                 ('', fresh, USED), ('n7.example', 'AA-BB-CC-DD-EE-FF', RESERVED),
                 None, ('n9.example', fresh, USED)])
    equal({(one['address'], one['column'], one['made'])
           for one in result['differs']},
          {('10.0.0.5', 'hostname', None), ('10.0.0.6', 'hostname', None),
           ('10.0.0.7', 'mac', None), ('10.0.0.7', 'state', None),
           ('10.0.0.8', 'hostname', None), ('10.0.0.8', 'mac', None),
           ('10.0.0.8', 'state', None)})
    equal(s.column('lastSeen', '10.0.0.5') > wall(ago(60)), True)


@case('of what is under preview the latest few of a subnet are kept')
def _(s):
    s.hub.policy('policy: {agents: {site-a: {preview: true}}}')
    numbers = []
    for at in range(10):
        equal(s.hosts(host('10.0.0.5'))['result'], 'noted')
        numbers.append(max(one['number'] for one in s.list()))
    kept = [one['number'] for one in s.list()]
    equal(kept, numbers[-8:])
    # Another agent is not concerned.
    s.subnet(11, '10.0.1.0/24', scanAgent=3)
    s.applied(host('10.0.1.5'), peer='site-b', subnet=11, cidr='10.0.1.0/24')


@case('a part that comes again takes its own place')
def _(s):
    s.hub.policy('policy: {preview: true}')
    message = s.report().part([host('10.0.0.5'), host('10.0.0.6')])
    s.send(message)
    number = s.only()['number']
    s.send(message)
    one = s.only()
    equal((one['number'], one['parts'], one['changes']), (number, 1, 2))


# --- the brake: new rows -----------------------------------------------------

@case('too many new rows: times are written, the rest waits for apply')
def _(s):
    tags_on(s)
    s.wide()
    s.seen_row('10.9.0.5', ago(5000), 20, state=1, description=MADE)
    mark = s.hub.log_mark()
    held = s.hub.counter('rows_held')
    known = host('10.9.0.5', ago(2), name='five.example')
    report = s.wide_report()
    verdict = s.send(report.part(s.crowd() + [known]))
    equal((verdict['result'], verdict['held'], verdict['seen'],
           verdict.get('added', 0)), ('applied', 302, 1, 0))
    equal(s.count(20), 1)
    equal(s.columns('hostname, state, lastSeen', '10.9.0.5', 20),
          (None, OFFLINE, wall(known['seen'])))
    one = s.only()
    equal((one['reason'], one['changes']), ('new', 302))
    log = s.hub.log_from(mark)
    assert re.search(r'warning held back: more new .*changes=302 number='
                     rf'{one["number"]} .*preview show {one["number"]}', log), \
        log
    equal(s.hub.counter('rows_held') - held, 302)
    status = json.loads(s.hub.ctl('status', '--json', check=False).stdout)
    equal((status['previews']['held'], status['previews']['changes']),
          (1, 302))
    said = ' '.join(s.hub.ctl('status', check=False).stdout.split())
    assert '1 report is held, for it would' in said, said
    # The closing part of the same scan is written.
    equal(s.send(report.closing([('10.9.0.1', '10.9.1.254')],
                                up=301))['result'], 'applied')
    equal(s.times(20)[1], wall(report.head['started']))

    result = s.apply(one['number'])
    equal((result['added'], result['named'], result['tagged'],
           result['differing']), (300, 1, 1, 0))
    equal(s.count(20), 301)
    equal(s.columns('hostname, state', '10.9.0.5', 20),
          ('five.example', USED))
    equal(s.list(), [])
    done = s.hub.ctl('preview', 'apply', str(one['number']), check=False)
    equal(done.returncode, 1)
    assert 'there is no held report' in done.stderr, done.stderr


@case('a subnet that was never scanned is not held up, nor one with max_new off')
def _(s):
    s.subnet(20, WIDE)
    verdict = s.send(s.wide_report().part(s.crowd()))
    equal((verdict.get('held', 0), verdict['added']), (0, 300))
    s.sql.rows('DELETE FROM ipaddresses')
    s.update('subnets', 20, lastScan=wall(ago(7200)))
    s.hub.policy('policy: {max_new: off}')
    verdict = s.send(s.wide_report().part(s.crowd()))
    equal((verdict.get('held', 0), verdict['added']), (0, 300))


@case('max_new of a subnet, down to none')
def _(s):
    s.update('subnets', 10, lastScan=wall(ago(7200)))
    s.hub.policy('policy: {max_new: 100, subnets: {10: {max_new: 0}}}')
    verdict = s.hosts(host('10.0.0.5'))
    equal((verdict['result'], verdict['held']), ('applied', 1))
    equal(s.count(), 0)
    s.apply(s.only()['number'])
    equal(s.count(), 1)


@case('each scan holds the same again: one entry, and its number stays')
def _(s):
    s.wide()
    mark = s.hub.log_mark()
    for _ in range(3):
        s.send(s.wide_report().part(s.crowd()))
        one = s.only()
    log = s.hub.log_from(mark)
    equal((log.count('warning held back'), log.count('notice held back')),
          (1, 2))
    # Other hosts are another matter.
    s.send(s.wide_report().part(s.crowd(301)))
    assert s.only()['number'] > one['number']


@case('what is applied is not too late, however many scans came since')
def _(s):
    s.wide()
    s.send(s.wide_report().part(s.crowd()))
    number = s.only()['number']
    later = Report(20, WIDE, started=now_ms())
    equal(s.send(later.closing([('10.9.0.1', '10.9.1.254')], part=0,
                               parts=0))['result'], 'applied')
    s.seen_row('10.9.0.10', ago(0), 20)  # and lastSeen does not go back
    newest = s.column('lastSeen', '10.9.0.10', 20)
    result = s.apply(number)
    equal((result['added'], result['differing']), (299, 1))
    equal(s.column('lastSeen', '10.9.0.10', 20) >= newest, True)
    equal(s.times(20)[1], wall(later.head['started']))


@case('a report of several parts is one entry, applied part by part')
def _(s):
    s.subnet(21, '10.32.0.0/20', lastScan=wall(ago(7200)))
    s.hub.policy('policy: {max_new: 100}')
    report = Report(21, '10.32.0.0/20', started=now_ms() - 1000)
    parts = [report.part(s.crowd(count, first), at) for at, (count, first) in
             enumerate(((200, '10.32.1.0'), (50, '10.32.2.0'),
                        (150, '10.32.3.0')))]
    equal([one.get('held', 0) for one in s.peer().deliver(*parts)],
          [200, 0, 150])
    equal(s.count(21), 50)
    one = s.only()
    equal((one['parts'], one['changes']), (2, 350))
    equal(len(s.lines(one['number'])), 350 * 4)
    result = s.apply(one['number'])
    equal((result['parts'], result['done'], result['added'],
           result['differing']), (2, 2, 350, 0))
    equal(s.count(21), 400)


@case('a scanner does not change what somebody has on his screen')
def _(s):
    s.wide()
    report = s.wide_report()
    s.send(report.part(s.crowd()))
    number = s.only()['number']
    s.show(number)
    s.send(report.part(s.crowd(name='other.example')))
    done = s.hub.ctl('preview', 'apply', str(number), check=False)
    equal((done.returncode, s.count(20)), (1, 0))
    assert 'a newer one of its subnet' in done.stderr, done.stderr
    assert s.only()['number'] > number
    equal(s.apply(s.only()['number'])['added'], 300)


# --- the brake: hosts that go Offline -----------------------------------------

def fill_known(s, count=20, **columns):
    tags_on(s)
    for at in range(1, count + 1):
        s.seen_row(f'10.0.0.{at}', ago(3600), state=2, **columns)


@case('too many hosts going Offline at once: none goes, and they wait')
def _(s):
    fill_known(s)
    report = s.report(started=ago(60))
    s.applied(*[host(f'10.0.0.{at}', ago(30)) for at in range(1, 6)],
              started=ago(60))
    mark = s.hub.log_mark()
    verdict = s.closing([('10.0.0.1', '10.0.0.254')], report, up=5)
    equal((verdict['held'], verdict.get('tagged', 0)), (15, 0))
    equal({s.tag(f'10.0.0.{at}') for at in range(1, 21)}, {USED})
    equal(s.times(), (wall(report.head['started']),) * 2)
    one = s.only()
    equal((one['reason'], one['changes']), ('offline', 15))
    equal(s.lines(one['number']),
          {('update', f'10.0.0.{at}', 'state', USED, OFFLINE)
           for at in range(6, 21)})
    assert f'preview show {one["number"]}' in s.hub.log_from(mark)

    # One is back before somebody decides.
    s.applied(host('10.0.0.20'))
    result = s.apply(one['number'])
    equal((result['tagged'], result['as_listed'], result['differing']),
          (14, 14, 1))
    equal([s.tag(f'10.0.0.{at}') for at in (5, 6, 19, 20)],
          [USED, OFFLINE, OFFLINE, USED])
    equal(s.list(), [])


@case('the brake counts hosts of the whole subnet that could go Offline')
def _(s):
    fill_known(s, 10)
    # These do not count: Reserved, Offline already, never seen, excluded.
    for at in range(100, 140):
        s.seen_row(f'10.0.0.{at}', ago(3600),
                   **({'state': 3}, {'state': 1}, {'state': 2, 'excludePing': 1}
                      )[at % 3])
    s.address('10.0.0.150', state=2)
    # 8 of 10.
    verdict = s.closing([('10.0.0.3', '10.0.0.200')], started=ago(60))
    equal(verdict['held'], 8)
    # And 8 of 20, with ten outside of what was covered.
    for at in range(201, 211):
        s.seen_row(f'10.0.0.{at}', ago(3600), state=2)
    verdict = s.closing([('10.0.0.3', '10.0.0.200')], started=ago(60))
    equal((verdict.get('held', 0), verdict['tagged']), (0, 8))


@case('a few hosts are never held, and max_offline off holds none')
def _(s):
    fill_known(s, 7)
    verdict = s.closing([('10.0.0.1', '10.0.0.254')], started=ago(60))
    equal((verdict.get('held', 0), verdict['tagged']), (0, 7))
    s.sql.rows('UPDATE ipaddresses SET state = 2')
    fill_known_more = [s.seen_row(f'10.0.0.{at}', ago(3600), state=2)
                       for at in range(8, 30)]
    equal(len(fill_known_more), 22)
    s.hub.policy('policy: {subnets: {10: {max_offline: off}}}')
    verdict = s.closing([('10.0.0.1', '10.0.0.254')], started=ago(60))
    equal((verdict.get('held', 0), verdict['tagged']), (0, 29))


# --- what may go wrong ---------------------------------------------------------

@case('a restart keeps what is held, and it can be applied then')
def _(s):
    s.wide()
    s.send(s.wide_report().part(s.crowd()))
    one = s.only()
    s.hub.restart()
    equal(s.only(), one)
    equal(s.apply(one['number'])['added'], 300)


@case('preview that ends with a restart in mid-scan takes nobody Offline')
def _(s):
    tags_on(s)
    s.seen_row('10.0.0.5', ago(7200), state=2)
    s.hub.policy('policy: {preview: true}')
    report = s.report(started=ago(60))
    verdict = s.send(report.part([host('10.0.0.5', ago(10))]))
    equal(verdict['result'], 'noted')
    s.hub.restart(policy='')
    verdict = s.send(report.closing([('10.0.0.1', '10.0.0.254')], up=1))
    equal((verdict['result'], s.tag('10.0.0.5')), ('noted', USED))
    # The next scan is written.
    s.applied(host('10.0.0.5'))
    s.closing([('10.0.0.1', '10.0.0.254')])
    equal(s.tag('10.0.0.5'), USED)


@case('SIGKILL around the verdict loses nothing', patience=120)
def _(s):
    s.wide()
    for delay in ((0.002, 0.03) if harness.too_long()
                  else (0, 0.002, 0.01, 0.03, 0.08, 0.2)):
        message = s.wide_report().part(s.crowd())
        s.peer().send(message)
        time.sleep(delay)
        s.hub.process.send_signal(signal.SIGKILL)
        s.hub.stop()
        s.peers = {}
        s.hub.start()
        verdict = s.send(message)  # as the scanner does
        equal((verdict['result'], verdict['held']), ('applied', 300))
        one = s.only()
        equal((one['changes'], one['parts']), (300, 1))
        equal(s.count(20), 0)
    s.apply(one['number'])
    equal(s.count(20), 300)


@case('a key that was revoked since writes nothing; the entry says why')
def _(s):
    s.wide(scanAgent=3)
    s.send(s.wide_report().part(s.crowd()), peer='site-b')
    number = s.only()['number']
    public = s.hub.keys['site-b'][0]
    s.hub.revoke('site-b')
    s.hub.reload()
    done = s.hub.ctl('preview', 'apply', str(number), check=False)
    equal(done.returncode, 1)
    assert 'no longer in the registry' in done.stderr, done.stderr
    equal(s.count(20), 0)
    assert 'revoked' in s.only()['failed'], s.only()
    s.hub.register('site-b', public, CODE_B)
    s.hub.reload()
    equal(s.apply(number)['added'], 300)


@case('a subnet that was given to another agent since is refused')
def _(s):
    s.wide()
    s.send(s.wide_report().part(s.crowd()))
    number = s.only()['number']
    s.update('subnets', 20, scanAgent=3)
    done = s.hub.ctl('preview', 'apply', str(number), check=False)
    equal((done.returncode, s.count(20)), (1, 0))
    assert 'subnet-not-assigned' in done.stderr, done.stderr
    assert 'subnet-not-assigned' in s.only()['failed'], s.only()


@case('dropped is forgotten')
def _(s):
    s.wide()
    message = s.wide_report().part(s.crowd())
    s.send(message)
    number = str(s.only()['number'])
    equal(s.hub.ctl('preview', 'drop', number).stdout, f'number {number} is dropped\n')
    equal((s.list(), s.count(20)), ([], 0))
    for verb in ('show', 'apply', 'drop'):
        done = s.hub.ctl('preview', verb, number, check=False)
        equal(done.returncode, 1, verb)
        assert f'no held report {number}' in done.stderr, done.stderr


@case('without a file for it what would be held waits, and all else is taken')
def _(s):
    s.wide()
    s.hub.restart(hub='previews: /proc/none/previews.db')
    try:
        assert 'reports cannot be held' in s.hub.log_from()
        verdict = s.send(s.wide_report().part(s.crowd()))
        equal((verdict['result'], verdict['cause']), ('retry', 'io'))
        assert 'cannot be kept' in verdict['text'], verdict
        equal(s.count(20), 0)
        assert 'cannot be held' in s.hub.ctl('status', check=False).stdout
        s.applied(host('10.0.0.5'))
        equal(s.hub.ctl('preview', 'list', check=False).returncode, 1)
    finally:
        s.hub.restart(hub='')
    verdict = s.send(s.wide_report().part(s.crowd()))
    equal((verdict['result'], verdict['held']), ('applied', 300))


@case('a broken file is set aside, and a new one begun')
def _(s):
    path = s.hub.directory / 'previews.db'
    s.hub.stop()
    path.write_bytes(b'no database at all' * 500)
    s.hub.start()
    equal(s.list(), [])
    aside = list(s.hub.directory.glob('previews.db.broken-*'))
    assert aside and aside[0].read_bytes().startswith(b'no database'), aside
    for one in aside:
        one.unlink()


@case('one that is locked out in mid-transaction is told so by the list')
def _(s):
    s.wide()
    s.send(s.wide_report().part(s.crowd()))
    number = s.only()['number']
    other = s.database.session()
    s.extra.append(other)
    other.rows('BEGIN')
    other.rows('SELECT id FROM subnets WHERE id = 20 FOR UPDATE')
    # The hub waits for the lock in its worker; meanwhile it answers.
    s.hub.ctl('ping')
    process = subprocess.Popen(
        [str(harness.SCANHUBCTL), '--config', str(s.hub.path), 'preview',
         'apply', str(number)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True)
    until(s.database.blocked, 'the worker waits for the lock')
    begun = time.monotonic()
    s.hub.ctl('ping')
    assert time.monotonic() - begun < 2
    for verb in ('apply', 'drop'):
        done = s.hub.ctl('preview', verb, str(number), check=False)
        equal(done.returncode, 1, verb)
        assert 'being applied' in done.stderr, done.stderr
    # Ctrl-C ends the command and not what the hub is doing.
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    equal(process.returncode, os.EX_TEMPFAIL, out + err)
    assert 'still being applied by the hub' in err, err
    other.rows('ROLLBACK')
    until(lambda: s.count(20) == 300, 'it is applied all the same')
    until(lambda: s.list() == [], 'and gone from the list')


# --- as a person sees it -------------------------------------------------------

@case('list and show fit 80 columns and say what is what')
def _(s):
    tags_on(s)
    s.subnet(30, '2001:db8:1234:5678:9abc:def0:1234:5600/120',
             lastScan=wall(ago(7200)))
    s.hub.policy('policy: {max_new: 0, subnets: {10: {preview: true}}}')
    s.seen_row('10.0.0.5', ago(5000), state=1, description=MADE,
               hostname='a-rather-long-name-of-a-host.office.site-a.example')
    s.hosts(host('10.0.0.5', name='x' * 40 + '.example'), host('10.0.0.6'),
            host('10.0.0.255'))
    message = Report(30, '2001:db8:1234:5678:9abc:def0:1234:5600/120').part(
        [host('2001:db8:1234:5678:9abc:def0:1234:5678')])
    equal(s.send(message)['held'], 1)
    equal(s.send(s.report().part([host('10.0.0.9')]))['result'], 'noted')
    out = s.hub.ctl('preview', 'list').stdout
    for entry in s.list():
        out += s.hub.ctl('preview', 'show', str(entry['number'])).stdout
    wide = [line for line in out.splitlines() if len(line) > 80]
    equal(wide, [])
    assert '\x1b' not in out, out
    for words in ('insert', 'update', 'refuse', 'state Offline -> Used',
                  "the subnet's broadcast address", 'to write it:',
                  'more new addresses at once than max_new',
                  'policy: preview'):
        assert words in out, (words, out)
    equal([one['subnet'] for one in s.list('--subnet', '30')], [30])
    equal(len(s.list('--subnet', '10.0.0.0/24')), 2)
    out = s.hub.ctl('preview', 'apply', '--subnet', '30').stdout
    assert '1 new' in out and 'as listed' in out, out
    s.hub.ctl('preview', 'drop', '--all')
    equal(s.hub.ctl('preview', 'list').stdout, 'nothing is held\n')
    done = s.hub.ctl('preview', 'apply', '--all', check=False)
    equal((done.returncode, done.stderr),
          (1, 'scanhubctl: nothing is held\n'))
    for args in (['apply'], ['apply', '1', '--all'], ['show'],
                 ['show', 'x'], ['drop', '1x'], ['list', '1'],
                 ['list', '--subnet', '10.0.0.0'],
                 ['apply', '--subnet', 'x1']):
        done = s.hub.ctl('preview', *args, check=False)
        equal(done.returncode, os.EX_USAGE, args)


if __name__ == '__main__':
    sys.exit(harness.main(Previews))

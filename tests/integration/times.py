#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Clocks and zones: a database in Europe/Berlin, both nights in which clocks
change there, and scanners whose clocks are wrong.  All of it lies in 2025,
and every time is given in UTC and looked up as text."""

import calendar
import sys
import time

sys.dont_write_bytecode = True

import harness
from harness import Stage, ago, case, equal, host, until, wall
from peer import now_ms

WHOLE = [('10.0.0.1', '10.0.0.254')]
BERLIN, UTC = 'Europe/Berlin', 'UTC0'


class Times(Stage):
    zone = BERLIN
    hub_config = {'tz': BERLIN}

    def zoned(self, timezone='auto', tz=BERLIN):
        """A hub whose host and configuration are in these zones."""
        if (self.hub.config['timezone'], self.hub.config['tz']) \
                != (timezone, tz):
            self.hub.restart(timezone=timezone, tz=tz)

    def seen_as(self, *moments, **fields):
        """What lastSeen reads after each of some sightings, one by one."""
        texts = []
        for moment in moments:
            self.applied(host('10.0.0.5', utc(moment)),
                         **{'started': utc(moment), **fields})
            texts.append(self.column('lastSeen', '10.0.0.5'))
        return texts

    def scanned_as(self, *moments):
        """What lastScan and lastDiscovery read after each of some scans."""
        texts = []
        for moment in moments:
            self.closing(WHOLE, started=utc(moment))
            texts.append(self.times())
        return texts


def utc(text):
    """Epoch ms of '2025-03-30 00:30:00' in UTC."""
    return calendar.timegm(time.strptime(text, '%Y-%m-%d %H:%M:%S')) * 1000


def berlin(ms):
    """Epoch ms as the wall clock of Berlin, by rules of our own."""
    year = time.gmtime(ms // 1000).tm_year

    def last_sunday(month):
        day = 31 - (calendar.weekday(year, month, 31) + 1) % 7
        return calendar.timegm((year, month, day, 1, 0, 0))
    summer = last_sunday(3) <= ms // 1000 < last_sunday(10)
    return wall(ms + (7200000 if summer else 3600000))


def both(text):
    return (text, text)


# --- which zone -------------------------------------------------------------

@case('auto: database and host share a zone, so it is phpIPAM\'s')
def _(s):
    s.zoned()
    equal(s.seen_as('2025-07-01 10:00:00'), ['2025-07-01 12:00:00'])
    equal(s.scanned_as('2025-07-01 10:00:00'), [both('2025-07-01 12:00:00')])
    seen = ago(5)
    s.applied(host('10.0.0.5', seen))
    equal(s.column('lastSeen', '10.0.0.5'), berlin(seen))
    s.applied(host('10.0.0.6', seen))
    assert berlin(seen) in s.column('note', '10.0.0.6')
    touched = until(s.last_access, 'last_access')
    assert berlin(now_ms() - 60000) <= touched <= berlin(now_ms()), touched


@case('auto: the host is in UTC, the database is not: UTC')
def _(s):
    s.zoned(tz=UTC)
    equal(s.seen_as('2025-07-01 10:00:00'), ['2025-07-01 10:00:00'])
    equal(s.scanned_as('2025-07-01 10:00:00'), [both('2025-07-01 10:00:00')])


@case('auto: the host is in Berlin, the database in UTC: UTC')
def _(s):
    s.sql.rows("SET GLOBAL time_zone = '+00:00'")
    try:
        s.hub.restart(timezone='auto', tz=BERLIN)
        equal(s.seen_as('2025-07-01 10:00:00'), ['2025-07-01 10:00:00'])
    finally:
        s.sql.rows("SET GLOBAL time_zone = 'SYSTEM'")
        s.hub.stop()


@case('auto: an offset of zero that is shared by chance in winter is UTC')
def _(s):
    s.sql.rows("SET GLOBAL time_zone = '+00:00'")
    try:
        s.hub.restart(timezone='auto', tz='Europe/London')
        equal(s.seen_as('2025-07-01 10:00:00'), ['2025-07-01 10:00:00'])
    finally:
        s.sql.rows("SET GLOBAL time_zone = 'SYSTEM'")
        s.hub.stop()


@case('auto: half an hour is shared, too')
def _(s):
    s.sql.rows("SET GLOBAL time_zone = '+05:30'")
    try:
        s.hub.restart(timezone='auto', tz='Asia/Kolkata')
        equal(s.seen_as('2025-07-01 10:00:00'), ['2025-07-01 15:30:00'])
    finally:
        s.sql.rows("SET GLOBAL time_zone = 'SYSTEM'")
        s.hub.stop()


@case('an explicit zone outweighs host and database')
def _(s):
    s.zoned('America/New_York', tz=UTC)
    equal(s.seen_as('2025-07-01 10:00:00'), ['2025-07-01 06:00:00'])
    equal(s.scanned_as('2025-07-01 10:00:00'), [both('2025-07-01 06:00:00')])
    s.zoned('UTC', tz=BERLIN)
    equal(s.seen_as('2025-07-01 12:00:00'), ['2025-07-01 12:00:00'])


@case('a zone that does not exist: the hub does not start')
def _(s):
    for zone in ('Europe/Berln', '../../etc/passwd', 'Europe'):
        s.hub.stop()
        s.hub.config['timezone'] = zone
        mark = s.hub.log_mark()
        try:
            s.hub.start(wait=False)
            equal(s.hub.process.wait(harness.PATIENCE), 78)
            assert 'time zone' in s.hub.log_from(mark), s.hub.log_from(mark)
        finally:
            s.hub.process = None
            s.hub.config['timezone'] = 'auto'
    s.hub.start()


@case('the zone is said at start, with a stored time beside it')
def _(s):
    s.seen_row('10.0.0.5', utc('2025-05-05 05:05:05'))
    mark = s.hub.log_mark()
    s.hub.restart(timezone='auto', tz=BERLIN)
    line = until(lambda: [line for line in s.hub.log_from(mark).splitlines()
                          if 'wall clock' in line], 'the line about the zone')
    offset = 7200 if berlin(now_ms()) == wall(now_ms() + 7200000) else 3600
    assert f'offset_s={offset} ' in line[0], line
    assert '2025-05-05 05:05:05' in line[0], line


# --- the night in spring: 02:00 to 03:00 is left out --------------------------

@case('spring, the same zone: an hour is skipped and nothing stands still')
def _(s):
    s.zoned()
    equal(s.seen_as('2025-03-30 00:30:00', '2025-03-30 00:59:59',
                    '2025-03-30 01:00:00', '2025-03-30 01:30:00'),
          ['2025-03-30 01:30:00', '2025-03-30 01:59:59',
           '2025-03-30 03:00:00', '2025-03-30 03:30:00'])
    equal(s.scanned_as('2025-03-30 00:59:59', '2025-03-30 01:00:00'),
          [both('2025-03-30 01:59:59'), both('2025-03-30 03:00:00')])


@case('spring, phpIPAM in UTC: a subnet time in the gap is left out')
def _(s):
    s.zoned('UTC')
    s.sql.rows('UPDATE settings SET updateTags = 1')
    equal(s.scanned_as('2025-03-30 01:59:59'), [both('2025-03-30 01:59:59')])
    s.seen_row('10.0.0.6', utc('2025-03-30 00:00:00'), state=2)
    mark = s.hub.log_mark()
    equal(s.scanned_as('2025-03-30 02:30:00'), [both('2025-03-30 01:59:59')])
    equal(s.column('state', '10.0.0.6'), '1', 'the rest of the part')
    assert 'subnet time not written' in s.hub.log_from(mark)
    equal(s.scanned_as('2025-03-30 03:00:00'), [both('2025-03-30 03:00:00')])


@case('spring, phpIPAM in UTC: lastSeen in the gap is stored')
def _(s):
    s.zoned('UTC')
    equal(s.seen_as('2025-03-30 01:59:59', '2025-03-30 02:30:00',
                    '2025-03-30 03:00:00'),
          ['2025-03-30 01:59:59', '2025-03-30 02:30:00',
           '2025-03-30 03:00:00'])


@case('spring, phpIPAM in New York: its own night is two weeks earlier')
def _(s):
    s.zoned('America/New_York')
    equal(s.seen_as('2025-03-09 06:59:59', '2025-03-09 07:00:00',
                    '2025-03-30 01:00:00'),
          ['2025-03-09 01:59:59', '2025-03-09 03:00:00',
           '2025-03-29 21:00:00'])


# --- the night in autumn: 02:00 to 03:00 comes twice -------------------------

@case('autumn, the same zone: lastSeen stands still while the hour repeats')
def _(s):
    s.zoned()
    equal(s.seen_as('2025-10-26 00:30:00', '2025-10-26 01:10:00',
                    '2025-10-26 01:29:59', '2025-10-26 01:40:00',
                    '2025-10-26 02:00:00'),
          ['2025-10-26 02:30:00', '2025-10-26 02:30:00',
           '2025-10-26 02:30:00', '2025-10-26 02:40:00',
           '2025-10-26 03:00:00'])


@case('autumn, the same zone: subnet times, too')
def _(s):
    s.zoned()
    equal(s.scanned_as('2025-10-26 00:30:00', '2025-10-26 01:10:00',
                       '2025-10-26 01:40:00', '2025-10-26 02:00:00'),
          [both('2025-10-26 02:30:00'), both('2025-10-26 02:30:00'),
           both('2025-10-26 02:40:00'), both('2025-10-26 03:00:00')])


@case('autumn, phpIPAM in UTC: nothing repeats')
def _(s):
    s.zoned('UTC')
    moments = ['2025-10-26 00:30:00', '2025-10-26 01:10:00',
               '2025-10-26 01:30:00', '2025-10-26 02:30:00']
    equal(s.seen_as(*moments), moments)
    equal(s.scanned_as(*moments), [both(moment) for moment in moments])


@case('autumn: nobody who was just seen becomes Offline')
def _(s):
    s.zoned()
    s.sql.rows('UPDATE settings SET updateTags = 1')
    s.address('10.0.0.5', lastSeen='2025-10-26 01:00:00', state=2)
    s.address('10.0.0.6', lastSeen='2025-10-26 01:00:00', state=2)
    started = utc('2025-10-26 01:05:00')  # 02:05 for the second time
    s.applied(host('10.0.0.5', started + 60000), started=started)
    s.closing(WHOLE, started=started)
    equal([s.column('state', f'10.0.0.{at}') for at in (5, 6)], ['2', '1'])


# --- wrong clocks -----------------------------------------------------------

@case('a scanner\'s clock that is an hour slow')
def _(s):
    s.zoned('UTC')
    true = ago(100)
    s.applied(host('10.0.0.5', true - 3600000), off=3600000)
    equal(s.column('lastSeen', '10.0.0.5'), wall(true))


@case('a scanner\'s clock that is an hour fast')
def _(s):
    s.zoned('UTC')
    true = ago(100)
    report = s.report(started=true + 3600000, off=-3600000)
    s.peer().deliver(report.part([host('10.0.0.5', true + 3601000)]),
                     report.closing(WHOLE))
    equal(s.column('lastSeen', '10.0.0.5'), wall(true + 1000))
    equal(s.times(), both(wall(true)))


@case('a scanner\'s clock that is years off')
def _(s):
    s.zoned('UTC')
    true = ago(100)
    s.applied(host('10.0.0.5', 5000), off=true - 5000)
    equal(s.column('lastSeen', '10.0.0.5'), wall(true))


@case('an offset under two seconds counts as none')
def _(s):
    s.zoned('UTC')
    true = ago(100)
    for at, (off, shift) in enumerate(((1999, 0), (-1999, 0), (2000, 2000),
                                       (-2000, -2000)), 10):
        s.applied(host(f'10.0.0.{at}', true), off=off)
        equal(s.column('lastSeen', f'10.0.0.{at}'), wall(true + shift))


@case('milliseconds are cut off, not rounded')
def _(s):
    s.zoned('UTC')
    true = ago(100)
    s.applied(host('10.0.0.5', true + 999))
    equal(s.column('lastSeen', '10.0.0.5'), wall(true))


@case('nothing is later than the moment the hub received it')
def _(s):
    s.zoned()
    report = s.report(started=now_ms() + 7200000)
    s.peer().deliver(report.part([host('10.0.0.5', now_ms() + 7200000)]),
                     report.closing(WHOLE))
    now = berlin(now_ms())
    early = berlin(now_ms() - 60000)
    for text in (s.column('lastSeen', '10.0.0.5'), *s.times()):
        assert early <= text <= now, (text, now)


@case('a stored time in the future is one by phpIPAM\'s clock')
def _(s):
    s.zoned()
    seen = ago(500)
    near, far = berlin(now_ms() - 5000), berlin(now_ms() + 7200000)
    s.address('10.0.0.5', lastSeen=near)
    s.address('10.0.0.6', lastSeen=far)
    s.applied(host('10.0.0.5', seen), host('10.0.0.6', seen))
    equal([s.column('lastSeen', f'10.0.0.{at}') for at in (5, 6)],
          [near, berlin(seen)])


@case('times that cannot be stored')
def _(s):
    s.zoned('UTC')
    before = s.tables()
    for started in (-1, -10 ** 18):
        verdict = s.hosts(host('10.0.0.5'), started=started)
        equal((verdict['result'], verdict['cause']), ('refused', 'bad-time'))
    equal(s.tables(), before)
    verdict = s.applied(host('10.0.0.5', -10 ** 15), host('10.0.0.6'))
    equal([one['cause'] for one in verdict['refused']], ['host-time'])
    equal(s.count(), 1)


if __name__ == '__main__':
    sys.exit(harness.main(Times, long=True))

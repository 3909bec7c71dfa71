#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""A scanner that has no hub, no database or no disk for a while: what it has
found reaches phpIPAM all the same, with the right times.  Real scans of
loopback networks, where every address answers."""

import os
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True

import harness
from harness import Stage, case, end, equal, until
from service import Scanner

NET_RAW = 1 << 13
NOBODY = 65534


class Outage(Stage):
    def reset(self):
        super().reset()
        self.sql.rows('DELETE FROM subnets')
        self.sql.rows('UPDATE settings SET updateTags = 1')
        self.subnet(20, '127.0.0.0/28')

    def scanner(self, **config):
        scanner = Scanner(self, **config)
        self.extra.append(scanner)
        return scanner

    def hub_away(self):
        self.hub.process.kill()
        self.hub.process.wait()
        self.hub.process = None

    def newest(self, subnet=20):
        return self.sql.value('SELECT MAX(lastSeen) FROM ipaddresses WHERE '
                              f'subnetId = {subnet}')

    def all_at(self, scanner, subnet=20, count=14):
        """All rows are there, with the time of the newest scan."""
        kept = re.findall(r'report kept .*started=(\d+)', scanner.log())
        newest = harness.wall(int(kept[-1]))
        rows = self.sql.rows('SELECT lastSeen, state FROM ipaddresses WHERE '
                             f'subnetId = {subnet}')
        return len(rows) == count and all(seen >= newest and state == '2'
                                          for seen, state in rows)


@case('a hub that is away: scans go on, what waits is one report, none lost')
def _(s):
    s.subnet(21, '127.0.1.0/29')
    scanner = s.scanner()
    scanner.start()
    scanner.after('subnet scanned subnet=127.0.1.0/29')
    s.hub_away()
    scanner.after('report kept subnet=127.0.1.0/29', 6)
    written = scanner.count('subnet scanned')
    size = scanner.spool.stat().st_size
    scanner.after('report kept subnet=127.0.1.0/29', 4)
    equal(scanner.spool.stat().st_size, size, 'the size of the spool')
    end(scanner.process)
    equal(scanner.count('subnet scanned'), written)
    before = s.newest()
    mark = s.hub.log_mark()
    s.hub.start()
    scanner.start()
    scanner.after('subnet scanned', 4)
    # one report each of all those that waited, and the ones of now
    log = s.hub.log_from(mark)
    first = re.findall(r'scan written .*', log)[:2]
    assert len({re.search(r'subnet=(\d+)', line)[1] for line in first}) == 2, \
        first
    assert s.newest() > before
    until(lambda: s.all_at(scanner) and s.all_at(scanner, 21, 6), 'all rows')


def hold_rows(s, subnet=20):
    """A person's transaction that lets the hub read, but not write."""
    other = s.database.session()
    s.extra.append(other)
    other.rows('BEGIN')
    other.rows(f"UPDATE ipaddresses SET note = 'held' WHERE subnetId = {subnet}")
    return other


@case('a scanner that is killed with a report on its way: it comes from disk')
def _(s):
    scanner = s.scanner(interval=2)
    scanner.start()
    scanner.after('subnet scanned')
    person = hold_rows(s)
    scanner.after('report kept')
    until(s.database.blocked, 'the hub waits for the lock')
    written = scanner.count('subnet scanned')
    scanner.kill()
    s.hub_away()
    person.rows('ROLLBACK')
    before = s.newest()
    mark = s.hub.log_mark()
    s.hub.start()
    scanner.start()
    scanner.after('subnet scanned', 2)  # the one that waited, and one of now
    assert s.hub.log_from(mark).count('scan written') >= 2
    assert 'reports_of_earlier=1' in scanner.log()
    assert s.newest() > before and written
    until(lambda: s.all_at(scanner), 'all rows')


@case('once without a database: said, kept, and delivered the next time')
def _(s):
    scanner = s.scanner()
    equal(scanner.once().returncode, 0)
    before = s.newest()
    time.sleep(1)
    person = hold_rows(s)
    done = scanner.once(wait=2)
    assert done.returncode == 75, done
    assert 'kept on disk for the next run' in done.stderr, done.stderr
    assert '0 scanned and kept' not in done.stdout, done.stdout
    assert ' scanned and kept on disk for the next run' in done.stdout, done
    equal(s.newest(), before)
    person.rows('ROLLBACK')
    done = scanner.once()
    equal(done.returncode, 0, done.stderr)
    assert 'kept on disk has been delivered' in done.stderr, done
    assert s.newest() > before


@case('a spool that is damaged is set aside, not deleted, and scans go on')
def _(s):
    scanner = s.scanner()
    scanner.spool.parent.mkdir()
    scanner.spool.write_bytes(b'this is no database' * 1000)
    scanner.start()
    scanner.after('subnet scanned')
    aside = list(scanner.spool.parent.glob('spool.broken-*'))
    assert aside and aside[0].read_bytes().startswith(b'this is no'), aside
    assert 'spool set aside' in scanner.log()


@case('a second scanner on one spool says so, and waits in memory')
def _(s):
    first = s.scanner()
    first.start()
    first.after('subnet scanned')
    second = s.scanner(spool=first.spool)
    done = second.once()  # it would only take the other's connection
    equal(done.returncode, 75, done.stderr)
    assert 'another scanhub-scanner is at work with' in done.stderr, done
    second.start()
    second.after('subnet scanned')
    assert 'another process has this spool open' in second.log()
    assert 'report waits in memory' in second.log()


@case('a spool that is free is taken within a minute', patience=180, long=True)
def _(s):
    first = s.scanner()
    first.start()
    first.after('report kept')
    second = s.scanner(spool=first.spool)
    second.start()
    second.after('report waits in memory')
    first.stop()
    until(lambda: 'the spool is there now' in second.log(), 'a look', 90)
    second.after('report kept')


@case('a spool on a directory that cannot be written')
def _(s):
    scanner = s.scanner(spool='/proc/no/such/spool')
    scanner.start()
    scanner.after('subnet scanned')
    assert 'no spool: reports wait in memory' in scanner.log()
    assert 'report waits in memory' in scanner.log()


@case('a disk that is full: said, scanned on, and used again when it has room')
def _(s):
    scanner = s.scanner()
    scanner.spool.parent.mkdir()
    place = str(scanner.spool.parent)
    done = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=3m,mode=700', 'tmpfs',
                           place], capture_output=True, check=False)
    if done.returncode:
        raise harness.Skip('no tmpfs can be mounted here')
    food = scanner.spool.parent / 'food'
    try:
        scanner.start()
        scanner.after('report kept')
        with open(food, 'wb', buffering=0) as file:
            try:
                while file.write(b'x' * 4096):
                    pass
            except OSError:
                pass
        scanner.after('report waits in memory')
        scanner.after('subnet scanned', 2)
        assert 'disk is full' in scanner.log(), scanner.log()
        # now without a hub: memory holds it until there is room
        s.hub_away()
        scanner.after('report waits in memory', 2)
        food.unlink()
        scanner.after('report kept', 2)
        scanner.kill()
        s.hub.start()
        scanner.start()
        scanner.after('subnet scanned')
        until(lambda: s.all_at(scanner), 'all rows')
        scanner.stop()
    finally:
        scanner.stop()
        subprocess.run(['umount', place], check=False)


CAPABILITIES = ('CapEff', 'CapPrm', 'CapInh', 'CapAmb')


def as_nobody(scanner, s):
    for path in (scanner.directory, *scanner.directory.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    s.directory.chmod(0o711)


@case('the scanner has given up every capability; what nmap needs can be had')
def _(s):
    for engine, bounds in (('builtin', 0), ('nmap', NET_RAW)):
        scanner = s.scanner(engine=engine)
        scanner.start()
        scanner.after('subnet scanned')
        equal([scanner.status(name) for name in CAPABILITIES], [0] * 4)
        assert scanner.status('CapBnd') & ~bounds == 0
        assert 'no right' not in scanner.log(), scanner.log()
        scanner.stop()


@case('another user\'s scanner keeps CAP_NET_RAW for nmap alone')
def _(s):
    for engine, left in (('builtin', 0), ('nmap', NET_RAW)):
        scanner = s.scanner(engine=engine, prefix=[
            'setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}',
            '--clear-groups', '--inh-caps=-all,+net_raw',
            '--ambient-caps=-all,+net_raw', '--bounding-set=-all,+net_raw'])
        as_nobody(scanner, s)
        scanner.start()
        scanner.after('subnet scanned')
        equal([scanner.status(name)
               for name in ('CapEff', 'CapPrm', 'CapAmb')], [0, left, left])
        equal(scanner.status('NoNewPrivs'), 1)
        scanner.stop()


SUBNETS = int(os.environ.get('SUBNETS', 40))  # at most 250
LENGTH = os.environ.get('LENGTH', '29')       # of their prefixes


@case(f'{SUBNETS} subnets that waited are delivered without delay')
def _(s):
    s.sql.rows('DELETE FROM subnets')
    for at in range(SUBNETS):
        s.subnet(100 + at, f'127.1.{at}.0/{LENGTH}')
    scanner = s.scanner(interval=1)
    scanner.start()
    until(lambda: scanner.count('subnet scanned') >= SUBNETS, 'a first round',
          300)
    s.hub_away()
    kept = scanner.count('report kept')
    until(lambda: scanner.count('report kept') >= kept + SUBNETS, 'a second',
          300)
    end(scanner.process)
    size = scanner.spool.stat().st_size
    mark = s.hub.log_mark()
    s.hub.start()
    scanner.start()
    begun = time.monotonic()
    until(lambda: s.hub.log_from(mark).count('scan written') >= SUBNETS,
          'all of them', 120)
    harness.comment(f'{SUBNETS} reports of /{LENGTH} that waited in '
                    f'{size >> 10} KiB: {time.monotonic() - begun:.2f} s from '
                    'the start of the scanner')


if __name__ == '__main__':
    sys.exit(harness.main(Outage, long=True))

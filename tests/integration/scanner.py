#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""The scanner as a service, with a real hub and real scans of loopback networks,
where every address answers: its assignments and their changes, its two kinds of
scan, scans that are ordered, its configuration read again, what it says of
itself.  Prints TAP."""

import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True

import harness
from harness import SCANHUBCTL, Stage, case, comment, equal, until
from service import Scanner

PUSH_S = 10  # within which a change must have reached the scanner
SANITIZED = b'__asan_init' in harness.SCANHUBD.read_bytes()


class Site(Stage):
    def reset(self):
        super().reset()
        self.sql.rows('DELETE FROM subnets')
        self.hub.policy('')
        self.subnet(20, '127.0.0.0/28')

    def scanner(self, **config):
        scanner = Scanner(self, **{'interval': None, **config})
        self.extra.append(scanner)
        return scanner

    def running(self, **config):
        """A scanner that has scanned what there is."""
        scanner = self.scanner(**config)
        scanner.start()
        scanner.says('subnet scanned')
        return scanner

    def slow(self, rate=1, more=''):
        """Scans of subnet 20 take 14 seconds from now on, or 14 / rate."""
        self.hub.policy(f'scan:\n  subnets: {{20: {{rate: {rate}{more}}}}}')
        time.sleep(1)  # nobody tells when a scanner has taken it up

    def probing(self, scanner=None):
        """A scanner in the midst of a slow scan of subnet 20."""
        if not scanner:
            self.slow()
            scanner = self.scanner()
            scanner.start()
        until(lambda: 'probing' in scanner.run('status').stdout, 'a scan')
        return scanner

    def ordered(self, scanner, rate=1):
        """The same, because somebody has ordered it."""
        self.slow(rate)
        status, said = self.ctl('scan', '20')
        equal(status, 0, said)
        return self.probing(scanner)

    def hub_away(self):
        self.hub.process.kill()
        self.hub.process.wait()
        self.hub.process = None

    def ctl(self, *args):
        done = self.hub.ctl(*args, check=False)
        return done.returncode, done.stdout + done.stderr

    def kinds(self, mark, subnet=20):
        """Of the scans that the hub has written since then."""
        return re.findall(rf'scan written .*subnet={subnet}\b.*kind=(\w+)',
                          self.hub.log_from(mark))


# --- assignments --------------------------------------------------------------

@case('a change in phpIPAM\'s tables is at the scanner within 10 s')
def _(s):
    scanner = s.running()
    for change in (
            lambda: s.subnet(21, '127.0.1.0/29'),
            lambda: s.update('subnets', 21, mask='28'),
            lambda: s.update('subnets', 21, discoverSubnet=0)):
        mark = s.hub.log_mark()
        begun = time.monotonic()
        change()
        until(lambda: s.kinds(mark, 21), 'a scan of the changed subnet',
              PUSH_S)
        comment(f'scanned and written {time.monotonic() - begun:.1f} s later')
    equal(s.count(21), 14)  # as a /28
    assert 'warning' not in scanner.log(), scanner.log()


@case('a subnet that is taken away in mid-scan is dropped, and nothing written')
def _(s):
    scanner = s.probing()
    mark = s.hub.log_mark()
    s.update('subnets', 20, scanAgent=0)
    scanner.says('the subnet is not assigned to this scanner any more')
    time.sleep(1)
    equal(s.count(20), 0)
    equal(s.kinds(mark), [])
    assert 'report kept' not in scanner.log(), scanner.log()


@case('a report of a subnet that was taken away since is refused and dropped',
      long=True)
def _(s):
    scanner = s.scanner(interval=1)
    scanner.start()
    scanner.after('subnet scanned')
    s.hub_away()
    scanner.after('report kept', 2)
    s.update('subnets', 20, scanAgent=0)
    s.sql.rows('DELETE FROM ipaddresses')
    s.hub.start()
    scanner.says('report refused')
    until(lambda: 'reports waiting: 0' in scanner.run('status').stdout,
          'nothing waits')
    equal(s.count(20), 0)


@case('what phpIPAM or the hub\'s file excludes is not scanned')
def _(s):
    s.address('127.0.0.3', 20, excludePing=1, lastSeen=None)
    s.hub.policy('scan:\n  exclude: [127.0.0.5-127.0.0.8, 10.0.0.0/8]')
    equal(s.scanner().once().returncode, 0)
    rows = s.sql.rows("SELECT ip_addr + 0 & 255 FROM ipaddresses WHERE "
                      "subnetId = 20 AND lastSeen IS NOT NULL "
                      "ORDER BY ip_addr + 0")
    equal([int(row[0]) for row in rows], [1, 2, 4, 9, 10, 11, 12, 13, 14])


# --- when and what --------------------------------------------------------------

@case('checks and discoveries each on their interval; a check adds nobody',
      patience=150, long=True)
def _(s):
    s.hub.policy('scan:\n  check: 10\n  discover: 40')
    mark = s.hub.log_mark()
    s.running()
    equal(s.kinds(mark), ['both'])
    s.sql.rows('DELETE FROM ipaddresses WHERE id % 2')
    until(lambda: 'check' in s.kinds(mark), 'a check')
    if s.kinds(mark) == ['both', 'check']:
        equal(s.count(20), 7)
    time.sleep(70)
    kinds = s.kinds(mark)
    assert 2 <= kinds.count('both') <= 4 and 5 <= kinds.count('check') <= 9, \
        kinds
    equal(s.count(20), 14)


@case('quiet hours and pauses: nothing begins, and what runs is dropped')
def _(s):
    scanner = s.probing()
    s.slow(more=', quiet: [\'00:00-24:00\']')
    scanner.says('quiet hours begin')
    until(lambda: 'quiet hours' in scanner.run('status').stdout, 'status')
    s.slow()
    s.probing(scanner)
    s.hub.ctl('pause', '20')
    scanner.says('scans of the subnet are paused')
    until(lambda: 'paused' in scanner.run('status').stdout, 'status')
    time.sleep(1)
    equal((s.count(20), scanner.count('report kept')), (0, 0))
    done = s.scanner().once()
    assert 'paused at the hub, so it is left out' in done.said, done.said
    equal(done.returncode, 0)
    s.hub.ctl('resume', '20')
    scanner.says('subnet scanned')


# --- orders ---------------------------------------------------------------------

@case('scan --watch: from the command line to phpIPAM and back')
def _(s):
    s.running()
    s.sql.rows('DELETE FROM ipaddresses WHERE id % 2')
    s.slow(2)
    status, said = s.ctl('scan', '127.0.0.0/28', '--watch')
    equal(status, 0, said)
    assert 'done: 14 of 14 addresses answered; in phpIPAM 7 confirmed, ' \
        '7 added, 0 refused' in said, said
    percents = [int(one) for one in re.findall(r'(\d+) ?%', said)]
    assert percents and percents == sorted(percents), said
    equal(s.count(20), 14)


@case('an order for what is being scanned already is refused at once')
def _(s):
    scanner = s.probing()
    status, said = s.ctl('scan', '20')
    assert status == 1 and 'being scanned already' in said, said
    s.hub.policy('scan:\n  subnets: {20: {quiet: [\'00:00-24:00\']}}')
    scanner.says('quiet hours begin')
    status, said = s.ctl('scan', '20')
    assert status == 1 and 'quiet hours' in said, said


@case('an order is cancelled in mid-scan; the subnet\'s turn comes as ever')
def _(s):
    scanner = s.running()
    kept = scanner.count('report kept')
    s.ordered(scanner)
    status, said = s.ctl('scan', '--cancel', '20')
    equal(status, 0, said)
    scanner.says('the scan was cancelled')
    until(lambda: 'cancelled' in s.ctl('orders')[1], 'the order\'s end')
    time.sleep(1)
    equal(scanner.count('report kept'), kept)


@case('an order outlives a session: the next one is told how it ends',
      long=True)
def _(s):
    scanner = s.running()
    s.slow(3)
    watch = subprocess.Popen(
        [str(SCANHUBCTL), '--config', str(s.hub.path), 'scan', '20',
         '--watch'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, preexec_fn=harness.die_with_us)
    s.probing(scanner)
    downs = scanner.count('connected to the hub')
    peers = subprocess.run(['ss', '-K', 'dst', '127.0.0.1', 'dport', '=',
                            str(s.hub.port)], check=False,
                           capture_output=True)
    if peers.returncode or scanner.count('connected to the hub') != downs:
        comment('connections cannot be cut here')
    said, _ = watch.communicate(timeout=60)
    equal(watch.returncode, 0, said)
    assert 'done: 14 of 14' in said, said


@case('an order for a subnet that was just assigned waits until it is known',
      long=True)
def _(s):
    scanner = s.running()
    s.subnet(21, '127.0.1.0/29', pingSubnet=0)
    s.subnet(22, '127.0.2.0/29')
    until(lambda: s.ctl('subnets', '21')[0] == 0, 'the hub knows it')
    status, said = s.ctl('scan', '21', '--watch')
    equal(status, 0, said)
    assert 'done: 6 of 6' in said, said
    until(lambda: s.count(22) == 6, 'the other one')
    assert 'trouble' not in scanner.log()


@case('a pause that begins and ends in an ordered scan changes nothing for it',
      long=True)
def _(s):
    scanner = s.running()
    s.ordered(scanner)
    mark = s.hub.log_mark()
    s.hub.ctl('pause', '20')
    time.sleep(1)
    s.hub.ctl('resume', '20')
    until(lambda: 'an ordered scan is done' in s.hub.log_from(mark)
          and s.kinds(mark), 'the order\'s end', 60)
    assert 'done: 14 of 14' in s.ctl('orders')[1]
    equal(len(s.kinds(mark)), 1)


# --- what must not happen -------------------------------------------------------

def ticks(scanner):
    """CPU seconds that it has used."""
    with open(f'/proc/{scanner.process.pid}/stat') as stat:
        fields = stat.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def idle(scanner, seconds, most):
    begun = ticks(scanner)
    time.sleep(seconds)
    used = ticks(scanner) - begun
    comment(f'{used:.2f} s of CPU in {seconds} s')
    assert used < most, used


@case('an order that is under way costs nothing while the hub is away',
      long=True)
def _(s):
    scanner = s.running()
    s.ordered(scanner)
    s.hub_away()
    idle(scanner, 5, 1)
    s.hub.start()


@case('a network too large to be swept is asked for at its interval, no oftener')
def _(s):
    s.sql.rows('DELETE FROM subnets')
    s.subnet(30, '127.0.0.0/15', pingSubnet=0)
    s.subnet(31, '127.64.0.0/15')
    s.address('127.64.0.9', 31)
    s.running()
    mark = s.hub.log_mark()
    time.sleep(4)
    kinds = s.kinds(mark, 30) + s.kinds(mark, 31)
    assert len(kinds) <= 2, kinds


@case('a check that is refused is not asked for again and again',
      long=True)
def _(s):
    scanner = s.running(interval=2)
    mark = s.hub.log_mark()
    s.sql.rows("UPDATE scanAgents SET type = 'direct' WHERE id = 2")
    idle(scanner, 6, 1)
    refused = s.hub.log_from(mark).count('agent-type')
    comment(f'{refused} refusals')
    assert refused <= 14, s.hub.log_from(mark)[-3000:]
    s.sql.rows("UPDATE scanAgents SET type = 'mysql' WHERE id = 2")


# --- the program ------------------------------------------------------------------

@case('HUP reads the configuration again, all or nothing',
      long=True)
def _(s):
    scanner = s.scanner(interval=3600, log_level='info')
    scanner.start()
    scanner.says('subnet scanned')
    scanner.configure(interval=1)
    scanner.process.send_signal(1)
    scanner.says('reloaded')
    scanner.after('subnet scanned', 2)
    scanner.configure(engine='nmap')
    scanner.process.send_signal(1)
    scanner.says("'engine' changed, which takes a restart; nothing was "
                 'reloaded')
    scanner.configure(engine=None, interval='often')
    scanner.process.send_signal(1)
    scanner.says('interval')
    scanner.after('subnet scanned', 2)  # as before
    scanner.configure(interval=3600, log_level='warning')
    scanner.process.send_signal(1)
    time.sleep(3)
    lines = scanner.count('subnet scanned')
    time.sleep(2)
    equal(scanner.count('subnet scanned'), lines)
    equal(harness.end(scanner.process), 0)
    scanner.process = None


@case('status: connected, not connected, nobody there')
def _(s):
    scanner = s.running()
    done = scanner.run('status')
    equal(done.returncode, 0, done.stdout)
    for text in (f'connected to {s.hub.endpoint} for ', 'engine: builtin',
                 'reports waiting: 0', 'subnets: 1', '127.0.0.0/28'):
        assert text in done.stdout, done.stdout
    assert all(len(line) < 80 for line in done.stdout.splitlines())
    s.hub_away()
    until(lambda: 'NOT CONNECTED' in scanner.run('status').stdout, 'status')
    scanner.stop()
    done = scanner.run('status')
    assert done.returncode == 69 and 'nobody answers there' in done.stdout, \
        done
    scanner.configure(control='none')
    done = scanner.run('status')
    assert done.returncode == 78 and "'control' is none" in done.stdout, done
    s.hub.start()


@case('memory: idle, and with 4,000 subnets', patience=180)
def _(s):
    scanner = s.running()
    time.sleep(1)
    idle = scanner.status('VmRSS')
    s.sql.rows('INSERT INTO subnets (id, subnet, mask, sectionId, '
               'masterSubnetId, scanAgent, pingSubnet, discoverSubnet) '
               'SELECT 1000 + seq, 2130706432 + 65536 + seq * 8, 29, 1, 0, 2, '
               '0, 1 FROM seq_1_to_4000')
    until(lambda: 'subnets: 4001' in scanner.run('status').stdout,
          'all of them', 60)
    many = scanner.status('VmRSS')
    comment(f'idle {idle} kB, with 4,001 subnets {many} kB')
    if not SANITIZED:
        assert idle < 10240, idle
        assert many < 20480, many


if __name__ == '__main__':
    sys.exit(harness.main(Site, slow=True))

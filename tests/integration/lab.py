# SPDX-License-Identifier: MPL-2.0
"""A network to be scanned, of namespaces on this machine:

    site     the scanner's: 10.80.0.1/24 and fd80::1/64 on 'near',
      |      10.84.0.1/16 on 'wide', a tap device (labservers.Tap)
    lan      what is on these links: hosts that each have a MAC of their own,
      |      and the router, 10.80.0.254 and fd80::fe
    far      what is behind the router: prefixes in which every address lives
             (LIVE, LIVE6), and one in which a few do (SILENT)

A namespace lives as long as the process that holds it, and that ends with this
one, however this one ends; so nothing is ever left.  All of it needs root."""

import collections
import contextlib
import ctypes
import ipaddress
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

sys.dont_write_bytecode = True

import harness
from harness import BUILD, PATIENCE, Skip, die_with_us, end, until

SCANNER = Path(os.environ.get('SCANNER',
                              BUILD / 'scanner' / 'scanhub-scanner'))
NOBODY = 65534
LINK, LINK6, WIDE = '10.80.0.0/24', 'fd80::/64', '10.84.0.0/16'
LIVE, LIVE6 = '10.81.3.0/24', 'fd81::/120'
SILENT, SILENT6 = '10.82.0.0/16', 'fd82::/112'
TAP, BEHIND_TAP = '10.86.0.0/24', '10.87.0.0/24'
NO_ROUTE = '198.51.100.0/24'
HOSTS = 24        # with a MAC of their own: 10.80.0.11, fd80::11 and so on
WIDE_HOSTS = ('10.84.7.7', '10.84.128.1', '10.84.255.254')
FEW = ('10.82.0.9', '10.82.0.77', '10.82.7.7', '10.82.200.1')  # in SILENT
NEW_NET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
TIMESTAMP_NS = 35                      # SO_TIMESTAMPNS
PACKET, STATISTICS = 263, 6            # SOL_PACKET, PACKET_STATISTICS
OUTGOING = 4                           # PACKET_OUTGOING
RECEIVE_FORCE = 33                     # SO_RCVBUFFORCE


def tool(*words, patience=PATIENCE, **more):
    """Run a program that must succeed; its standard output."""
    done = subprocess.run(words, capture_output=True, text=True, check=False,
                          stdin=None if 'input' in more
                          else subprocess.DEVNULL,
                          timeout=patience, **more)
    if done.returncode:
        raise AssertionError(f'{" ".join(words)}: {done.stderr.strip()}')
    return done.stdout


def mac_of(number):
    """The MAC of the link's host with this last byte."""
    return f'02:00:00:80:00:{number:02x}'


# --- namespaces -------------------------------------------------------------

class Namespace:
    """A network namespace, held by a process that does nothing."""

    def __init__(self):
        own = os.readlink('/proc/self/ns/net')
        self.holder = subprocess.Popen(
            ['unshare', '--net', 'sleep', 'infinity'],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
            preexec_fn=die_with_us)
        self.path = f'/proc/{self.holder.pid}/ns/net'

        def made():
            if self.holder.poll() is not None:
                raise Skip('network namespaces cannot be made here: '
                           + self.holder.stderr.read().decode().strip())
            return os.readlink(self.path) != own
        until(made, 'a namespace of its own')
        # Before there is an interface, so that addresses count at once.
        self.sysctl(**{'ipv6/conf/default/accept_dad': 0,
                       'ipv6/conf/default/dad_transmits': 0,
                       'ipv6/conf/default/accept_ra': 0,
                       'ipv6/conf/default/router_solicitations': 0})
        self.ip('link set lo up')

    def prefix(self):
        return ['nsenter', f'--net={self.path}', '--']

    def run(self, *words, **more):
        return tool(*self.prefix(), *words, **more)

    def ip(self, lines):
        """Commands of ip(8), one a line."""
        return self.run('ip', '-force', '-batch', '-', input=lines + '\n') \
            if '\n' in lines else self.run('ip', *lines.split())

    def sysctl(self, **values):
        for name, value in values.items():
            self.run('sh', '-c', f'echo "{value}" > /proc/sys/net/{name}')

    def nft(self, rules):
        self.run('nft', '-f', '-', input=rules)

    def forget_nft(self):
        self.nft('flush ruleset')

    @contextlib.contextmanager
    def inside(self):
        """This thread is in it, so that sockets it opens are."""
        with open('/proc/thread-self/ns/net') as home, open(self.path) as there:
            if LIBC.setns(there.fileno(), NEW_NET) != 0:
                raise OSError(ctypes.get_errno(), 'setns')
            try:
                yield
            finally:
                if LIBC.setns(home.fileno(), NEW_NET) != 0:
                    raise OSError(ctypes.get_errno(), 'setns back')

    def close(self):
        end(self.holder)
        self.holder.stderr.close()


def wire(one, name, other, other_name):
    """A veth pair, up at both ends."""
    one.ip(f'link add name {name} type veth peer name {other_name} netns '
           f'{other.holder.pid}')
    one.ip(f'link set {name} up')
    other.ip(f'link set {other_name} up')


# --- what is seen at the other end ------------------------------------------

Seen = collections.namedtuple('Seen', 'kind ip at')  # at: seconds


def ipv4_probe(frame):
    header = (frame[14] & 15) * 4
    protocol, target = frame[23], socket.inet_ntoa(frame[30:34])
    rest = frame[14 + header:]
    if protocol == 1 and rest[:1] == b'\x08':
        return 'echo', target
    if protocol == 6 and len(rest) > 13 and rest[13] & 0x12 == 2:
        return 'tcp', target
    return None


def ipv6_probe(frame):
    following, rest = frame[20], frame[54:]
    target = socket.inet_ntop(socket.AF_INET6, frame[38:54])
    if following == 58 and rest[:1] == b'\x80':
        return 'echo', target
    if following == 58 and rest[:1] == b'\x87':
        return 'nd', socket.inet_ntop(socket.AF_INET6, rest[8:24])
    if following == 6 and len(rest) > 13 and rest[13] & 0x12 == 2:
        return 'tcp', target
    return None


def probe_in(frame):
    """What is asked of whom, or None: a pair of ('arp', 'nd', 'echo', 'tcp')
    and an address."""
    kind = frame[12:14]
    if kind == b'\x08\x06' and frame[20:22] == b'\x00\x01':
        return 'arp', socket.inet_ntoa(frame[38:42])
    if kind == b'\x08\x00' and len(frame) >= 34:
        return ipv4_probe(frame)
    if kind == b'\x86\xdd' and len(frame) >= 58:
        return ipv6_probe(frame)
    return None


class Watch:
    """Takes down every probe that arrives at an interface, and when (by the
    kernel's clock)."""

    def __init__(self, namespace, interface):
        with namespace.inside():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                        socket.htons(3))
            self.socket.setsockopt(socket.SOL_SOCKET, RECEIVE_FORCE, 1 << 26)
            self.socket.setsockopt(socket.SOL_SOCKET, TIMESTAMP_NS, 1)
            self.socket.bind((interface, 3))
        self.socket.settimeout(0.1)
        self.seen = []
        self.over = False
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while True:
            try:
                frame, about, _, source = self.socket.recvmsg(128, 64)
            except TimeoutError:
                if self.over:
                    return
                continue
            what = probe_in(frame) if source[2] != OUTGOING else None
            if what:
                seconds, rest = struct.unpack('qq', about[0][2][:16])
                self.seen.append(Seen(*what, seconds + rest / 1e9))

    def stop(self):
        """All probes; none may have been lost on the way here."""
        self.over = True
        self.thread.join()
        lost = struct.unpack('II', self.socket.getsockopt(PACKET, STATISTICS,
                                                          8))[1]
        self.socket.close()
        if lost:
            raise AssertionError(f'{lost} packets were not counted')
        return self.seen

    def close(self):
        if not self.over:
            self.over = True
            self.thread.join()
            self.socket.close()


# --- the network ------------------------------------------------------------

class Probe:
    """A run of 'scanhub-scanner probe'."""

    def __init__(self, lab, cidr, *words, prefix=(), namespace=None):
        command = [*(namespace or lab.site).prefix(), *prefix, str(SCANNER),
                   'probe', cidr, '--json', *map(str, words)]
        self.begin = time.monotonic()
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, preexec_fn=die_with_us,
            env={**os.environ, 'LC_ALL': 'C'})

    def status_file(self):
        """Of /proc, as a dictionary; empty before the scanner itself runs."""
        try:
            if 'scanhub-scanner' not in os.readlink(
                    f'/proc/{self.process.pid}/exe'):
                return {}
            text = Path(f'/proc/{self.process.pid}/status').read_text()
        except OSError:
            return {}
        return dict(re.findall(r'^(\w+):\s+(.*)$', text, re.M))

    def peak(self):
        """kB of memory at most, once it is over."""
        peak = 0
        while self.process.poll() is None:
            peak = max(peak, int(self.status_file().get('VmHWM', '0 kB')
                                 .split()[0]))
            time.sleep(0.01)
        return peak

    def finish(self, patience=PATIENCE * 4):
        """Wait; the object that it printed is in 'json', by address in
        'hosts'."""
        try:
            out, self.stderr = self.process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            end(self.process)
            raise
        self.took = time.monotonic() - self.begin
        self.status = self.process.returncode
        if 'Sanitizer' in self.stderr or 'runtime error:' in self.stderr:
            raise AssertionError(self.stderr)
        try:
            self.json = json.loads(out)
        except ValueError:
            raise AssertionError(f'exit status {self.status}, no JSON: '
                                 f'{out}{self.stderr}') from None
        self.hosts = {host['ip']: host for host in self.json['hosts']}
        return self


class Lab:
    def __init__(self):
        if os.geteuid() != 0:
            raise Skip('namespaces and raw packets take root')
        for program in 'ip', 'nft', 'nsenter', 'setpriv', 'unshare':
            if not shutil.which(program):
                raise Skip(f'there is no {program} here')
        self.site, self.lan, self.far = (Namespace() for _ in range(3))
        self.make_links()
        self.make_far()
        self.opened = []

    def make_links(self):
        wire(self.site, 'near', self.lan, 'hosts')
        wire(self.site, 'wide', self.lan, 'wide')
        self.site.ip('''addr add 10.80.0.1/24 dev near
addr add fd80::1/64 dev near
addr add 10.84.0.1/16 dev wide
route add 10.81.0.0/16 via 10.80.0.254
route add 10.82.0.0/16 via 10.80.0.254
route add fd81::/16 via fd80::fe
route add fd82::/16 via fd80::fe''')
        # Each interface answers for its own addresses and for no other's.
        self.lan.sysctl(**{'ipv4/conf/all/arp_ignore': 1,
                           'ipv4/conf/all/rp_filter': 0,
                           'ipv4/conf/default/rp_filter': 0,
                           'ipv4/ip_forward': 1,
                           'ipv6/conf/all/forwarding': 1})
        # What is made from here on is a host's.
        self.lan.sysctl(**{'ipv6/conf/default/forwarding': 0})
        lines = ['addr add 10.80.0.254/24 dev hosts',
                 'addr add fd80::fe/64 dev hosts',
                 *(f'addr add {ip}/16 dev wide' for ip in WIDE_HOSTS)]
        for number in range(11, 11 + HOSTS):
            lines += [f'link add name h{number} link hosts address '
                      f'{mac_of(number)} type macvlan mode bridge',
                      f'link set h{number} up',
                      f'addr add 10.80.0.{number}/24 dev h{number}',
                      f'addr add fd80::{number}/64 dev h{number}']
        self.lan.ip('\n'.join(lines))

    def make_far(self):
        wire(self.lan, 'out', self.far, 'in0')
        self.lan.ip('''addr add 10.85.0.1/30 dev out
addr add fd85::1/64 dev out
route add 10.81.0.0/16 via 10.85.0.2
route add 10.82.0.0/16 via 10.85.0.2
route add fd81::/16 via fd85::2
route add fd82::/16 via fd85::2''')
        # A route for what is silent, or the kernel would say 'unreachable'.
        self.far.ip(f'''addr add 10.85.0.2/30 dev in0
addr add fd85::2/64 dev in0
route add 10.80.0.0/16 via 10.85.0.1
route add fd80::/16 via fd85::1
route add local {LIVE} dev lo
route add local {LIVE6} dev lo
route add blackhole {SILENT}
route add blackhole {SILENT6}
''' + '\n'.join(f'route add local {ip} dev lo' for ip in FEW))

    def lose(self, percent):
        """On the way there and on the way back, of all that is forwarded and of
        ARP on the link; until 'mend'."""
        drop = f'numgen random mod 100 < {percent} drop'
        self.lan.nft(f'''
table inet loss {{
    chain through {{ type filter hook forward priority 0; {drop}; }}
}}
table arp loss {{
    chain there {{ type filter hook input priority 0; {drop}; }}
    chain back {{ type filter hook output priority 0; {drop}; }}
}}''')

    def mend(self):
        for namespace in (self.site, self.lan, self.far):
            namespace.forget_nft()

    def watch(self, namespace, interface):
        watch = Watch(namespace, interface)
        self.opened.append(watch)
        return watch

    def start(self, cidr, *words, **more):
        probe = Probe(self, cidr, *words, **more)
        self.opened.append(probe.process)
        return probe

    def probe(self, cidr, *words, **more):
        return self.start(cidr, *words, **more).finish()

    def end_case(self):
        """Whatever a case has opened or broken."""
        for thing in reversed(self.opened):
            if isinstance(thing, subprocess.Popen):
                end(thing)
                for stream in (thing.stdout, thing.stderr):
                    stream.close()
            else:
                thing.close()
        self.opened = []
        self.mend()

    def close(self):
        self.end_case()
        for namespace in (self.far, self.lan, self.site):
            namespace.close()


def addresses(cidr):
    """Those that a sweep of a prefix asks, as texts."""
    return [str(ip) for ip in ipaddress.ip_network(cidr).hosts()]


# --- cases ------------------------------------------------------------------

def play(lab, one):
    """One case; what went wrong as text, or None, and why it was skipped."""
    if one.long and harness.too_long():
        return None, harness.TOO_LONG
    fault = skipped = None
    signal.alarm(one.patience)
    try:
        one.function(lab)
    except Skip as reason:
        skipped = str(reason)
    except harness.CaseTimeout:
        fault = f'{traceback.format_exc()}\nover {one.patience} s'
    except Exception:
        fault = traceback.format_exc()
    finally:
        signal.alarm(0)
    try:
        lab.end_case()
    except Exception:
        fault = (fault or '') + traceback.format_exc()
    return fault, skipped


def main(kind=Lab, slow=False):
    """Play all cases, or those that the command line names; the exit status.
    Prints TAP.  'slow' as in harness.main."""
    if slow and harness.too_slow():
        return harness.leave_out(os.path.basename(sys.argv[0]))
    signal.signal(signal.SIGALRM, harness.on_alarm)
    signal.signal(signal.SIGTERM, harness.on_term)
    cases = [one for one in harness.CASES if len(sys.argv) < 2
             or any(word in one.name for word in sys.argv[1:])]
    try:
        lab = kind()
    except Skip as reason:
        print(f'1..0 # SKIP {reason}')
        return 77
    failed = 0
    try:
        for number, one in enumerate(cases, 1):
            fault, skipped = play(lab, one)
            failed += bool(fault)
            harness.show(number, one.name, fault, skipped)
    finally:
        lab.close()
    print(f'1..{len(cases)}')
    return 1 if failed else 0

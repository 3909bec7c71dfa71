#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""The built-in prober in a network: whom it finds, how fast it asks and whom it
never asks, what loss, delay and local errors do, and what it takes to run.
Beside it the engines that run a program.  Prints TAP."""

import bisect
import collections
import ipaddress
import os
import re
import shutil
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True

import harness
import lab
from harness import case, equal, until
from lab import (BEHIND_TAP, FEW, HOSTS, LINK, LINK6, LIVE, LIVE6, NO_ROUTE,
                 NOBODY, SCANNER, TAP, WIDE, WIDE_HOSTS, addresses, mac_of)
from labservers import Dns, Tap

INTERRUPTED, TEMPFAIL = 130, 75
NO_CAPS = {'CapEff': 0, 'CapPrm': 0, 'CapInh': 0, 'CapAmb': 0}
AS_NOBODY = ['setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}',
             '--clear-groups']
RAW_ALONE = AS_NOBODY + ['--inh-caps=-all,+net_raw',
                         '--ambient-caps=-all,+net_raw',
                         '--bounding-set=-all,+net_raw']
SANITIZED = SCANNER.exists() and re.search(b'__[at]san_init',
                                           SCANNER.read_bytes())


def mac(namespace, interface):
    return re.search(r'link/ether (\S+)',
                     namespace.ip(f'link show {interface}'))[1]


def found(probe, wanted, how=None):
    """Exactly these answered, in this way, and the scan was whole."""
    assert probe.json['complete'], probe.json['text']
    equal(sorted(set(probe.hosts) ^ set(wanted)), [], 'found xor expected')
    if how:
        odd = {ip: host['how'] for ip, host in probe.hosts.items()
               if host['how'] != how}
        equal(odd, {}, f'not by {how}')


def link_hosts(net, base):
    """Address and MAC of everybody on the link but the site itself."""
    hosts = {f'{base}{number}': mac_of(number)
             for number in range(11, 11 + HOSTS)}
    # In IPv6 a router also has the prefix's first address (RFC 4291, 2.6.1).
    routers = ['10.80.0.254'] if base == '10.80.0.' else ['fd80::fe', 'fd80::']
    return {**hosts, **{ip: mac(net.lan, 'hosts') for ip in routers}}


def check_link(probe, hosts, how, own, own_mac):
    """On the link: everybody with the right MAC, and this machine itself."""
    found(probe, [*hosts, own])
    for ip, one in hosts.items():
        equal((probe.hosts[ip]['how'], probe.hosts[ip]['mac']), (how, one), ip)
    equal((probe.hosts[own]['how'], probe.hosts[own]['mac']),
          ('local', own_mac), 'the scanner itself')


# --- who is found -----------------------------------------------------------

@case('a /24 on the link: everybody is found with the right MAC, nobody else')
def _(net):
    begin = time.time() * 1000
    probe = net.probe(LINK)
    check_link(probe, link_hosts(net, '10.80.0.'), 'arp', '10.80.0.1',
               mac(net.site, 'near'))
    for host in probe.hosts.values():
        assert begin - 1 <= host['seen_ms'] <= time.time() * 1000, host
    equal((probe.json['probed'], probe.json['missed']), (254, 0))
    assert probe.json['took_ms'] < 4000, probe.json['took_ms']


@case('an IPv6 range on the link by neighbour discovery, MACs right')
def _(net):
    probe = net.probe('fd80::/120')
    check_link(probe, link_hosts(net, 'fd80::'), 'nd', 'fd80::1',
               mac(net.site, 'near'))


@case('the neighbours of a /64: stable addresses, with --all the others, too')
def _(net):
    random, from_mac = 'fd80::a8bb:cc12:3456:789a', 'fd80::ff:fe80:c'
    net.lan.ip(f'''addr add {random}/64 dev h11
addr add {from_mac}/64 dev h12''')
    try:
        probe, every = net.probe(LINK6), net.probe(LINK6, '--all')
    finally:
        net.lan.ip(f'''addr del {random}/64 dev h11
addr del {from_mac}/64 dev h12''')
    for run, more in (probe, [from_mac]), (every, [from_mac, random]):
        assert run.json['complete'], run.json['text']
        hosts = link_hosts(net, 'fd80::')
        # A host answers with the address that its kernel prefers.
        allowed = {*hosts, *more, 'fd80::1'}
        equal(sorted(set(run.hosts) - allowed), [], 'beyond the link')
        missing = set(hosts.values()) - {host['mac'] for host
                                         in run.hosts.values()}
        if run is probe:
            missing -= {mac_of(11)}
        equal(sorted(missing), [], 'not found')


@case('behind a router everybody is found by echo')
def _(net):
    found(net.probe(LIVE), addresses(LIVE), 'echo')
    found(net.probe('10.82.0.0/24'), ['10.82.0.9', '10.82.0.77'], 'echo')


@case('behind a router everybody is found by echo over IPv6')
def _(net):
    probe = net.probe(LIVE6)
    assert probe.json['complete'], probe.json['text']
    equal(len(probe.hosts), probe.json['probed'])
    equal({host['how'] for host in probe.hosts.values()}, {'echo'})
    equal(net.probe('fd82::/120').hosts, {})


@case('a single address, and a network of two')
def _(net):
    found(net.probe('10.80.0.11'), ['10.80.0.11'], 'arp')
    found(net.probe('10.81.3.6/31'), ['10.81.3.6', '10.81.3.7'], 'echo')
    found(net.probe('10.82.3.6/31'), [])


@case('nobody is invented by forged, foreign and unasked-for answers')
def _(net):
    hosts = ['10.86.0.9', '10.87.0.9']
    tap = Tap(net.site, hosts, 0, noise=['10.86.0.200', '10.87.0.200'])
    net.opened.append(tap)
    found(net.probe(TAP), ['10.86.0.1', '10.86.0.9', '10.86.0.254'])
    found(net.probe(BEHIND_TAP), ['10.87.0.9'], 'echo')
    assert tap.noises > 4, tap.noises


# --- loss and delay ---------------------------------------------------------

def most(probe, wanted):
    assert probe.json['complete'], probe.json['text']
    equal(sorted(set(probe.hosts) - set(wanted)), [], 'invented')
    assert len(probe.hosts) >= 0.98 * len(wanted), \
        (len(probe.hosts), probe.json['missed'], probe.json['text'],
         probe.json['took_ms'])


def most_of(net, cidr, wanted):
    """A machine that is busy may lose more than we had it lose: then again."""
    try:
        most(net.probe(cidr), wanted)
    except AssertionError as reason:
        print(f'# again, for {reason}', flush=True)
        most(net.probe(cidr), wanted)


@case('10 % loss each way: at least 98 % are found behind a router')
def _(net):
    # The kernel has to know its router: it would look for it once a second.
    net.probe(addresses(LIVE)[0])
    net.lose(10)
    most_of(net, LIVE, addresses(LIVE))


@case('10 % loss each way: at least 98 % are found on the link')
def _(net):
    many = [f'10.84.9.{number}' for number in range(1, 251)]
    for word in 'add', 'del':
        if word == 'del':
            net.lose(10)
            most_of(net, '10.84.9.0/24', many)
            net.mend()
        net.lan.ip('\n'.join(f'addr {word} {ip}/16 dev wide' for ip in many))


@case('answers that take 200 ms count',
      long=True)
def _(net):
    slow(net, 0.2)


@case('answers that take 800 ms count',
      long=True)
def _(net):
    slow(net, 0.8)


def slow(net, delay):
    near = [f'10.86.0.{number}' for number in range(10, 40)]
    behind = [f'10.87.0.{number}' for number in range(10, 40)]
    net.opened.append(Tap(net.site, near + behind, delay))
    found(net.probe(TAP), [*near, '10.86.0.1', '10.86.0.254'])
    found(net.probe(BEHIND_TAP), behind, 'echo')


# --- pace, and who is asked -------------------------------------------------

def check_pace(seen, rate):
    """No 100 ms have more than what is due, catching up after a late wake-up
    included; and as a whole it is neither faster nor much slower."""
    times = sorted(one.at for one in seen)
    most_in_window = max(bisect.bisect_left(times, begin + 0.1) - at
                         for at, begin in enumerate(times))
    pace = (len(times) - 1) / (times[-1] - times[0])
    text = f'{pace:.0f}/s, at most {most_in_window} in 100 ms'
    print(f'# {rate}/s wanted: {text}')
    assert most_in_window <= rate * 0.12 + 5, text
    assert pace <= rate * 1.01, text
    assert pace >= rate * 0.6, text


def asked_by_echo(net, cidr, *words, pause=0):
    watch = net.watch(net.far, 'in0')
    probe = net.start(cidr, *words)
    if pause:
        time.sleep(0.5)
        probe.process.send_signal(signal.SIGSTOP)
        time.sleep(pause)
        probe.process.send_signal(signal.SIGCONT)
    probe.finish()
    assert probe.json['complete'], probe.json['text']
    # The router's kernel looks for its neighbours, too.
    seen = [one for one in watch.stop() if one.kind not in ('arp', 'nd')]
    equal({one.kind for one in seen}, {'echo'})
    return seen


@case('1,000 probes a second are 1,000, whatever 100 ms one looks at',
      long=True)
def _(net):
    check_pace(asked_by_echo(net, '10.82.16.0/21', '--rate', 1000), 1000)


@case('5,000 probes a second are 5,000, whatever 100 ms one looks at',
      long=True)
def _(net):
    check_pace(asked_by_echo(net, '10.82.32.0/19', '--rate', 5000), 5000)


@case('a prober that stood still does not make up for it at once')
def _(net):
    check_pace(asked_by_echo(net, '10.82.32.0/21', '--rate', 2000, pause=0.3),
               2000)


@case('only what is in the network is asked, and the silent ones twice')
def _(net):
    seen = asked_by_echo(net, '10.82.16.0/22')
    count = {}
    for one in seen:
        count[one.ip] = count.get(one.ip, 0) + 1
    # The network and broadcast address are not hosts of it.
    equal(sorted(set(count) ^ set(addresses('10.82.16.0/22'))), [])
    equal(set(count.values()), {2})


@case('on the link only what is in the network is asked')
def _(net):
    watch = net.watch(net.lan, 'hosts')
    net.probe('10.80.0.64/26')
    asked = {one.ip for one in watch.stop() if one.kind == 'arp'}
    equal(sorted(asked ^ set(addresses('10.80.0.64/26'))), [])


def neighbours(namespace):
    return set(re.findall(r'^(\S+ dev \S+)',
                          namespace.ip('neigh show nud all'), re.M))


@case('the kernel\'s table of neighbours is left alone', patience=120,
      long=True)
def _(net):
    before = neighbours(net.site)
    watch = net.watch(net.lan, 'wide')
    probe = net.probe(WIDE, '--rate', 5000)
    found(probe, [*WIDE_HOSTS, '10.84.0.1'])
    equal(neighbours(net.site) - before, set())
    seen = [one for one in watch.stop() if one.kind == 'arp']
    equal(len({one.ip for one in seen}), 65533)  # all but this machine itself
    check_pace(seen, 5000)
    assert probe.took < 30, probe.took


class Assigned(harness.Stage):
    """A hub in the site's namespace, and what phpIPAM assigns."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def new_hub(self, name, **config):
        hub = super().new_hub(name, **config)
        command = hub.command()
        hub.command = lambda: [*self.net.site.prefix(), *command]
        return hub

    def once(self, **config):
        """A round of a scanner that is site-a."""
        public, secret = self.hub.keys['site-a']
        cert = self.directory / 'scanner.cert'
        cert.touch(0o600)
        cert.write_text(f'curve\n    public-key = "{public}"\n'
                        f'    secret-key = "{secret}"\n')
        path = self.directory / 'scanner.yaml'
        path.write_text(
            f"hub: {{endpoint: '{self.hub.endpoint}', key: "
            f"'{self.hub.public}'}}\nkey: {cert}\nspool: none\n"
            + ''.join(f'{key}: {value}\n' for key, value in config.items()))
        return self.net.site.run(str(SCANNER), '-c', str(path), 'once')


def assigned(net):
    stage = Assigned(net)
    net.opened.append(stage)
    stage.open()
    stage.sql.rows('DELETE FROM subnets')
    return stage


@case('what phpIPAM excludes is never asked, what it knows is asked more often',
      long=True)
def _(net):
    stage = assigned(net)
    stage.subnet(20, '10.82.0.0/26')
    for last in 5, 9, 20:
        stage.address(f'10.82.0.{last}', 20, excludePing=1)
    stage.address('10.82.0.30', 20)
    watch = net.watch(net.far, 'in0')
    stage.once()
    count = collections.Counter(one.ip for one in watch.stop()
                                if one.kind == 'echo')
    wanted = set(addresses('10.82.0.0/26')) - {
        '10.82.0.5', '10.82.0.9', '10.82.0.20'}
    equal(sorted(set(count) ^ wanted), [])
    equal((count['10.82.0.31'], count['10.82.0.30']), (2, 4))


@case('what phpIPAM knows of a /64 is asked, alone or with its neighbours')
def _(net):
    stage = assigned(net)
    stage.subnet(20, LINK6, discoverSubnet=0)
    known = 'fd80::11', 'fd80::fe', 'fd80::77'
    for ip in known:
        stage.address(ip, 20)
    for discover in 0, 1:
        stage.update('subnets', 20, discoverSubnet=discover)
        watch = net.watch(net.lan, 'hosts')
        stage.once()
        asked = {one.ip for one in watch.stop() if one.kind == 'nd'
                 and ipaddress.ip_address(one.ip)
                 in ipaddress.ip_network(LINK6)}
        # The hosts' kernels look for the scanner, to answer it.
        equal(sorted(asked - {'fd80::1'}), sorted(known))
        rows = dict(stage.sql.rows(
            'SELECT ip_addr, mac FROM ipaddresses WHERE subnetId = 20 AND '
            "lastSeen > '2000-01-01'"))
        hosts = link_hosts(net, 'fd80::')
        # Nobody's first choice to answer from is a router's anycast address.
        del hosts['fd80::']
        found_by = {ip: one for ip, one in hosts.items()
                    if discover or ip in known}
        got = {str(ipaddress.ip_address(int(ip))): one
               for ip, one in rows.items()}
        got.pop('fd80::1', None)
        equal(got, found_by)


# --- rights -----------------------------------------------------------------

def caps_while(probe):
    """What a running probe may do, once it is at work."""
    def reduced():
        status = probe.status_file()
        if not status or probe.process.poll() is not None:
            return None
        caps = {name: int(status[name], 16) for name in NO_CAPS}
        return caps if caps == NO_CAPS else None
    until(reduced, 'no capability left', 5)
    return probe.status_file()


@case('root\'s prober gives up every capability',
      long=True)
def _(net):
    probe = net.start('10.82.16.0/21')
    caps_while(probe)
    assert probe.finish().json['complete'], probe.json['text']


@case('CAP_NET_RAW alone is enough, and is given up for good',
      long=True)
def _(net):
    check_link(net.probe(LINK, prefix=RAW_ALONE), link_hosts(net, '10.80.0.'),
               'arp', '10.80.0.1', mac(net.site, 'near'))
    found(net.probe(LIVE, prefix=RAW_ALONE), addresses(LIVE), 'echo')
    probe = net.start('10.82.16.0/21', prefix=RAW_ALONE)
    equal(caps_while(probe)['NoNewPrivs'], '1')
    assert probe.finish().json['complete'], probe.json['text']


@case('without rights: echo by datagram sockets where the kernel lets us')
def _(net):
    net.site.sysctl(**{'ipv4/ping_group_range': '0 65534'})
    try:
        found(net.probe(LIVE, prefix=AS_NOBODY), addresses(LIVE), 'echo')
        probe = net.probe(LIVE6, prefix=AS_NOBODY)
        equal(len(probe.hosts), probe.json['probed'])
        found(net.probe('10.82.0.0/24', prefix=AS_NOBODY),
              ['10.82.0.9', '10.82.0.77'], 'echo')
    finally:
        net.site.sysctl(**{'ipv4/ping_group_range': '1 0'})


@case('without rights and echo: by connecting, and that is said')
def _(net):
    probe = net.probe(LIVE, prefix=AS_NOBODY)
    found(probe, addresses(LIVE), 'tcp')
    assert 'CAP_NET_RAW' in probe.stderr, probe.stderr
    found(net.probe('10.82.0.0/28', prefix=AS_NOBODY), ['10.82.0.9'], 'tcp')


# --- local errors -----------------------------------------------------------

def firewall(namespace, cidr):
    namespace.nft(f'''
table inet wall {{
    chain out {{ type filter hook output priority 0;
        ip daddr {cidr} drop; }}
}}''')


def check_part(net, *words, prefix=()):
    """What a rule keeps from being sent is missed, and the rest is found."""
    firewall(net.site, '10.81.3.128/25')
    probe = net.probe(LIVE, *words, prefix=prefix)
    found(probe, addresses(LIVE)[:127])
    equal(probe.json['missed'], 127)
    assert 'not permitted' in probe.json['text'], probe.json['text']


def check_nothing(probe, text):
    assert not probe.json['complete']
    assert text in probe.json['text'].lower(), probe.json['text']
    equal((probe.hosts, probe.status), ({}, TEMPFAIL))


@case('a firewall\'s rule makes no silent hosts: they are missed')
def _(net):
    check_part(net)


@case('nothing could be sent: a firewall, no route, a link that is down')
def _(net):
    firewall(net.site, '10.82.0.0/16')
    check_nothing(net.probe('10.82.0.0/26'), 'not permitted')
    net.mend()
    check_nothing(net.probe(NO_ROUTE), 'unreachable')
    net.site.ip('link set wide down')
    try:
        check_nothing(net.probe('10.84.7.0/26'), 'unreachable')
    finally:
        net.site.ip('link set wide up')


@case('without rights a local error makes no silent hosts either')
def _(net):
    check_nothing(net.probe(NO_ROUTE, prefix=AS_NOBODY), 'unreachable')
    net.site.sysctl(**{'ipv4/ping_group_range': '0 65534'})
    try:
        check_part(net, prefix=AS_NOBODY)
    finally:
        net.site.sysctl(**{'ipv4/ping_group_range': '1 0'})


# --- what it takes ----------------------------------------------------------

@case('a /16 takes no more memory than a /24', patience=150, long=True)
def _(net):
    if SANITIZED:
        raise lab.Skip('a sanitizer has memory of its own')
    small, large = (net.start(cidr, '--rate', 5000)
                    for cidr in ('10.82.0.0/24', '10.82.0.0/16'))
    peaks = small.peak(), large.peak()
    print(f'# {peaks[0]} kB and {peaks[1]} kB')
    found(small.finish(), FEW[:2])
    found(large.finish(), FEW)
    assert peaks[1] < 20 * 1024, peaks
    assert peaks[1] - peaks[0] <= 1024, peaks


def sockets(namespace):
    return namespace.run('cat', *(f'/proc/net/{name}' for name in (
        'raw', 'raw6', 'icmp', 'icmp6', 'packet')))


@case('Ctrl-C ends it at once, and nothing is left')
def _(net):
    before = sockets(net.site)
    probe = net.start('10.82.0.0/16')
    caps_while(probe)
    time.sleep(0.5)
    begin = time.monotonic()
    probe.process.send_signal(signal.SIGINT)
    probe.finish(10)
    took = time.monotonic() - begin
    equal(probe.status, INTERRUPTED)
    assert not probe.json['complete']
    assert took < (3 if SANITIZED else 1), took
    equal(sockets(net.site), before)


# --- names ------------------------------------------------------------------

NAMES = {f'10.80.0.{number}': f'host-{number}.lab.example'
         for number in range(11, 11 + HOSTS)}


def resolving(directory, *servers):
    """What puts a program into a place where these are the system's servers."""
    path = f'{directory}/resolv.conf'
    with open(path, 'w') as file:
        file.writelines(f'nameserver {server}\n' for server in servers)
    return ['unshare', '--mount', 'sh', '-c',
            'mount --bind "$0" /etc/resolv.conf && exec "$@"', path]


@case('names come from the system\'s server, by TCP where they are cut off',
      long=True)
def _(net):
    net.lan.ip('addr add 10.80.0.253/24 dev hosts')
    try:
        with tempfile.TemporaryDirectory() as directory:
            prefix = resolving(directory, '10.80.0.253')
            for mood in 'good', 'truncated', 'nxdomain':
                server = Dns(net.lan, '10.80.0.253', NAMES, mood)
                net.opened.append(server)
                probe = net.probe('10.80.0.0/27', '--names', prefix=prefix)
                server.close()
                assert probe.json['complete'], probe.json['text']
                names = {ip: host['name'] for ip, host in probe.hosts.items()
                         if host['name']}
                wanted = {ip: name for ip, name in NAMES.items()
                          if ip in addresses('10.80.0.0/27')}
                equal(names, {} if mood == 'nxdomain' else wanted, mood)
                assert mood != 'truncated' or server.asked['tcp'], server.asked
    finally:
        net.lan.ip('addr del 10.80.0.253/24 dev hosts')


# --- the engines that run a program -----------------------------------------

FPING = '--engine', 'fping'


def need(program):
    if not shutil.which(program):
        raise lab.Skip(f'there is no {program} here')


@case('fping: who answers is found, who is silent is not')
def _(net):
    need('fping')
    found(net.probe(LIVE, *FPING), addresses(LIVE), 'echo')
    found(net.probe('10.82.0.0/25', *FPING), ['10.82.0.9', '10.82.0.77'])
    found(net.probe('fd81::/122', *FPING),
          [str(ip) for ip in ipaddress.ip_network('fd81::/122')], 'echo')


@case('fping: what could not be sent is missed')
def _(net):
    need('fping')
    check_part(net, *FPING)
    net.mend()
    check_nothing(net.probe(NO_ROUTE, *FPING), 'unreachable')


@case('fping: its pace is at most what was wanted',
      long=True)
def _(net):
    need('fping')
    seen = asked_by_echo(net, '10.82.16.0/22', *FPING, '--rate', 500)
    times = sorted(one.at for one in seen)
    pace = (len(times) - 1) / (times[-1] - times[0])
    assert 300 <= pace <= 525, pace
    equal({one.ip for one in seen}, set(addresses('10.82.16.0/22')))


@case('fping: with CAP_NET_RAW alone; without it nobody is called silent')
def _(net):
    need('fping')
    found(net.probe(LIVE, *FPING, prefix=RAW_ALONE), addresses(LIVE))
    # A copy has neither the file's capability nor another owner.
    probe = bare_fping(net, LIVE)
    check_nothing(probe, 'raw packets' if 'hears no' in probe.json['text']
                  else 'socket')
    net.site.sysctl(**{'ipv4/ping_group_range': '0 65534'})
    try:
        probe = bare_fping(net, LIVE)
    finally:
        net.site.sysctl(**{'ipv4/ping_group_range': '1 0'})
    # From version 5.2 on it works.
    assert len(probe.hosts) == 254 or not probe.json['complete'], probe.json


def bare_fping(net, cidr):
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        program = f'{directory}/fping'
        shutil.copyfile(shutil.which('fping'), program)
        os.chmod(program, 0o755)
        config = f'{directory}/scanner.yaml'
        with open(config, 'w') as file:
            file.write("hub: {endpoint: 'tcp://127.0.0.1:9', key: '"
                       + '1' * 40 + f"'}}\nfping: {{program: {program}}}\n")
        return net.probe(cidr, *FPING, '-c', config, prefix=AS_NOBODY)


@case('nmap: on the link by ARP, with MACs')
def _(net):
    need('nmap')
    probe = net.probe('10.80.0.0/27', '--engine', 'nmap')
    equal({ip: (host['mac'] or '').lower() for ip, host in probe.hosts.items()
           if host['how'] == 'arp'},
          {f'10.80.0.{number}': mac_of(number) for number in range(11, 31)})


if __name__ == '__main__':
    sys.exit(lab.main(slow=True))

#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Host names on their whole way: a real scanner that asks name servers of the
test's own, on port 53 of loopback addresses, and what phpIPAM then shows."""

import os
import socket
import struct
import sys
import threading
import time

sys.dont_write_bytecode = True

import harness
from harness import Stage, case, comment, equal
from service import Scanner

FIRST, SECOND = '127.53.1.1', '127.53.1.2'
PTR, NXDOMAIN = 12, 3


class NameServer:
    """Answers for 127.0.0.x with names[x], or never."""

    def __init__(self, address, names=None):
        self.names, self.asked = names, []
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.settimeout(0.1)
        self.over = False
        try:
            self.socket.bind((address, 53))
        except PermissionError as reason:
            raise harness.Skip(f'port 53: {reason}') from reason
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while not self.over:
            try:
                data, peer = self.socket.recvfrom(2000)
            except TimeoutError:
                continue
            labels, at = [], 12
            while data[at]:
                labels.append(data[at + 1:at + 1 + data[at]].decode())
                at += 1 + data[at]
            self.asked.append('.'.join(labels))
            if self.names is None:
                continue
            name = self.names.get(int(labels[0]))
            question = data[12:at + 5]
            flags = 0x8180 if name else 0x8180 | NXDOMAIN
            answer = b''
            if name:
                rdata = b''.join(bytes([len(one)]) + one.encode()
                                 for one in name.split('.')) + b'\0'
                answer = b'\xc0\x0c' + struct.pack('>HHIH', PTR, 1, 60,
                                                   len(rdata)) + rdata
            self.socket.sendto(data[:2] + struct.pack(
                '>HHHHH', flags, 1, bool(name), 0, 0) + question + answer, peer)

    def close(self):
        self.over = True
        self.thread.join()
        self.socket.close()


class Names(Stage):
    def reset(self):
        super().reset()
        self.sql.rows('DELETE FROM subnets')

    def server(self, address, names=None):
        server = NameServer(address, names)
        self.extra.append(server)
        return server

    def network(self, *servers, **columns):
        self.insert('nameservers', id=4, name='ns', namesrv1=';'.join(servers))
        self.subnet(20, '127.0.0.0/28',
                    **{'resolveDNS': 1, 'nameserverId': 4, **columns})
        self.hub.reload()

    def once(self, prefix=(), **config):
        """A scan by a scanner of its own; its output."""
        done = Scanner(self, prefix=prefix, spool='none', **config).once()
        equal(done.returncode, 0, done.said)
        return done.said

    def names(self):
        rows = self.sql.rows("SELECT INET_NTOA(ip_addr), hostname FROM "
                             "ipaddresses WHERE hostname > '' ORDER BY ip_addr")
        return {int(ip.split('.')[3]): name for ip, name in rows}


NAMES = {1: 'printer.site.example', 2: 'ip-127-0-0-2.isp.example',
         3: 'UPPER-Case.site.example', 4: "x', description='I.example",
         5: '5.0.0.127.in-addr.arpa', 14: 'last.site.example'}
GOOD = {1: 'printer.site.example', 3: 'UPPER-Case.site.example',
        14: 'last.site.example'}


@case('the subnet\'s own name server; what spells the address is left out')
def _(s):
    server = s.server(FIRST, NAMES)
    s.network(FIRST)
    s.once()
    equal(s.names(), GOOD)
    equal(sorted(server.asked, key=lambda name: int(name.split('.')[0])),
          [f'{at}.0.0.127.in-addr.arpa' for at in range(1, 15)])


@case('names: short')
def _(s):
    s.server(FIRST, NAMES)
    s.network(FIRST)
    s.once(names='short')
    equal(s.names(), {at: name.split('.')[0] for at, name in GOOD.items()})


@case('a dead first name server: the second is asked, and the first is named')
def _(s):
    dead, second = s.server(FIRST), s.server(SECOND, NAMES)
    s.network(FIRST, SECOND)
    begun = time.monotonic()
    said = s.once()
    comment(f'{time.monotonic() - begun:.1f} s')
    equal(s.names(), GOOD)
    equal((len(dead.asked), len(second.asked)), (14, 14), 'questions')
    assert time.monotonic() - begun < 10, said


@case('254 hosts, no name server that answers: two seconds, and a word on it')
def _(s):
    dead = s.server(FIRST)
    s.network(FIRST)
    s.subnet(21, '127.0.1.0/24')
    s.hub.reload()
    s.update('subnets', 21, resolveDNS=1, nameserverId=4)
    s.update('subnets', 20, resolveDNS=0)
    s.hub.reload()
    begun = time.monotonic()
    said = s.once()
    comment(f'{time.monotonic() - begun:.1f} s, {len(dead.asked)} questions')
    assert f'the name server {FIRST} does not answer' in said, said
    assert len(dead.asked) < 100, len(dead.asked)
    equal((s.count(20), s.count(21)), (14, 254), 'rows')


@case('no name server in phpIPAM: the system\'s hosts file, then its servers')
def _(s):
    if os.geteuid():
        raise harness.Skip('only root can have a hosts file of its own')
    s.server(FIRST, {**NAMES, 6: 'six.site.example'})
    hosts, servers = s.directory / 'hosts', s.directory / 'resolv.conf'
    hosts.write_text('127.0.0.1 localhost\n'
                     '127.0.0.6 router.example aaa.example\n'
                     '127.0.0.7 ip-127-0-0-7.example seven\n')
    servers.write_text(f'search example\nnameserver {FIRST}\n')
    s.network(FIRST, nameserverId=0)
    s.once(prefix=('unshare', '--mount', 'sh', '-ec',
                   f'mount --bind {hosts} /etc/hosts; '
                   f'mount --bind {servers} /etc/resolv.conf; exec "$@"', 'sh'))
    equal(s.names(), {**GOOD, 1: 'localhost', 6: 'router.example', 7: 'seven'})


@case('not where phpIPAM does not want it, nor where scanner.yaml does not')
def _(s):
    server = s.server(FIRST, NAMES)
    s.network(FIRST, resolveDNS=0)
    s.once()
    s.update('subnets', 20, resolveDNS=1)
    s.hub.reload()
    s.once(resolve='never')
    equal((s.names(), server.asked, s.count(20)), ({}, [], 14))


if __name__ == '__main__':
    sys.exit(harness.main(Names, slow=True))

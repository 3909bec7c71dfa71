# SPDX-License-Identifier: MPL-2.0
"""What answers in the lab and is no kernel: machines behind a tap device that
take their time, and a name server with moods."""

import fcntl
import heapq
import ipaddress
import os
import select
import socket
import struct
import threading
import time

SET_IFF = 0x400454ca              # TUNSETIFF
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
MAC = b'\x02\x00\x00\x86\x00\xfe'


def checksum(data):
    if len(data) % 2:
        data += b'\0'
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


class Tap:
    """A tap device 'slow' of the site with 10.86.0.1/24, behind which the
    addresses of 'hosts' (texts) answer ARP and echo after 'delay' seconds.
    10.86.0.254 is the router to 10.87.0.0/24 and answers ARP at once.
    With each answer comes 'noise': answers of these addresses, one behind the
    router and one before it, that nobody has asked for."""

    def __init__(self, namespace, hosts, delay, noise=()):
        self.hosts = {ipaddress.ip_address(host).packed for host in hosts}
        self.router = socket.inet_aton('10.86.0.254')
        self.delay = delay
        self.noise = [ipaddress.ip_address(ip).packed for ip in noise]
        self.noises = 0
        self.waiting = []  # heap of (when, number, frame)
        self.count = 0
        with namespace.inside():
            self.fd = os.open('/dev/net/tun', os.O_RDWR | os.O_CLOEXEC)
            fcntl.ioctl(self.fd, SET_IFF, struct.pack(
                '16sH', b'slow', IFF_TAP | IFF_NO_PI))
        namespace.ip('addr add 10.86.0.1/24 dev slow\n'
                     'link set slow up\n'
                     'route add 10.87.0.0/24 via 10.86.0.254')
        self.awake, self.waker = os.pipe()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def answer_arp(self, frame):
        target = frame[38:42]
        if frame[20:22] != b'\0\1' or target not in self.hosts | {self.router}:
            return None
        # Of the hosts each has a MAC of its own.
        own = MAC if target == self.router else MAC[:2] + target
        return (frame[6:12] + own + frame[12:20] + b'\0\2' + own + target
                + frame[22:32])

    def answer_echo(self, frame):
        size = (frame[14] & 15) * 4
        packet, target = frame[14 + size:], frame[30:34]
        if frame[23] != 1 or packet[0] != 8 or target not in self.hosts:
            return None
        reply = b'\0\0\0\0' + packet[4:]
        reply = reply[:2] + struct.pack('!H', checksum(reply)) + reply[4:]
        header = frame[14:24] + b'\0\0' + frame[30:34] + frame[26:30] \
            + frame[34:14 + size]
        header = header[:10] + struct.pack('!H', checksum(header)) + header[12:]
        return frame[6:12] + frame[:6] + frame[12:14] + header + reply

    def make_noise(self, answer):
        """An ARP reply to nobody in particular or to somebody else; an echo
        reply with another identifier, number and content, and one that has
        those of somebody else's."""
        for ip in self.noise:
            if answer[12:14] == b'\x08\x06':
                mine = MAC[:2] + ip
                for frame in (
                        b'\xff' * 6 + mine + answer[12:22] + mine + ip
                        + b'\xff' * 6 + ip,
                        answer[:6] + mine + answer[12:22] + mine + ip
                        + b'\2\0\0\0\0\1' + answer[38:42]):
                    os.write(self.fd, frame)
            else:
                header = answer[14:24] + b'\0\0' + ip + answer[30:34]
                header = header[:10] + struct.pack('!H', checksum(header)) \
                    + header[12:]
                other = bytes(byte ^ 0x55 for byte in answer[38:])
                other = b'\0\0' + struct.pack(
                    '!H', checksum(b'\0\0\0\0' + other)) + other
                for reply in other, answer[34:]:
                    os.write(self.fd, answer[:14] + header + reply)
            self.noises += 1

    def take(self, frame):
        answer = None
        if frame[12:14] == b'\x08\x06':
            answer = self.answer_arp(frame)
        elif frame[12:14] == b'\x08\x00':
            answer = self.answer_echo(frame)
        if not answer:
            return
        self.make_noise(answer)
        late = 0 if answer[28:32] == self.router \
            and answer[12:14] == b'\x08\x06' else self.delay
        self.count += 1
        heapq.heappush(self.waiting,
                       (time.monotonic() + late, self.count, answer))

    def serve(self):
        while True:
            wait = None
            if self.waiting:
                wait = max(0, self.waiting[0][0] - time.monotonic())
            ready, _, _ = select.select([self.fd, self.awake], [], [], wait)
            if self.awake in ready:
                return
            if self.fd in ready:
                self.take(os.read(self.fd, 65536))
            while self.waiting and self.waiting[0][0] <= time.monotonic():
                os.write(self.fd, heapq.heappop(self.waiting)[2])

    def close(self):
        os.write(self.waker, b'x')
        self.thread.join()
        for fd in (self.fd, self.awake, self.waker):
            os.close(fd)


QUERY = struct.Struct('!6H')
NXDOMAIN, SERVFAIL = 3, 2
PTR, IN = 12, 1
TRUNCATED = 0x0200


def name_at(data, at):
    labels = []
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode('latin-1'))
        at += 1 + data[at]
    return '.'.join(labels), at + 1


def name_bytes(name):
    return b''.join(bytes([len(label)]) + label.encode('latin-1')
                    for label in name.split('.')) + b'\0'


class Dns:
    """A name server on port 53 of an address, over UDP and TCP.  'names' maps
    addresses to names.  'mood': 'good', 'silent', 'servfail', 'nxdomain', or
    'truncated' (by UDP; by TCP all is there).  'delay': seconds."""

    def __init__(self, namespace, address, names, mood='good', delay=0):
        self.names = {ipaddress.ip_address(ip).reverse_pointer: name
                      for ip, name in names.items()}
        self.mood = mood
        self.delay = delay
        self.asked = {'udp': 0, 'tcp': 0}
        family = socket.AF_INET6 if ':' in address else socket.AF_INET
        with namespace.inside():
            self.udp = socket.socket(family, socket.SOCK_DGRAM)
            self.tcp = socket.socket(family, socket.SOCK_STREAM)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.udp.bind((address, 53))
        self.tcp.bind((address, 53))
        self.tcp.listen()
        self.over = False
        self.threads = [threading.Thread(target=serve, daemon=True)
                        for serve in (self.serve_udp, self.serve_tcp)]
        for thread in self.threads:
            thread.start()

    def answer(self, query, by):
        self.asked[by] += 1
        ident, _, _, _, _, _ = QUERY.unpack(query[:12])
        name, after = name_at(query, 12)
        question = query[12:after + 4]
        found = self.names.get(name.lower())
        code = {'servfail': SERVFAIL, 'nxdomain': NXDOMAIN}.get(
            self.mood, 0 if found else NXDOMAIN)
        cut = self.mood == 'truncated' and by == 'udp'
        reply = b''
        if found and not code and not cut:
            data = name_bytes(found)
            reply = struct.pack('!HHHIH', 0xc00c, PTR, IN, 60,
                                len(data)) + data
        flags = 0x8180 | code | (TRUNCATED if cut else 0)
        return QUERY.pack(ident, flags, 1, 1 if reply else 0, 0, 0) \
            + question + reply

    def serve_udp(self):
        while True:
            query, peer = self.udp.recvfrom(4096)
            if self.over:
                return
            if self.mood == 'silent':
                self.asked['udp'] += 1
                continue
            reply = self.answer(query, 'udp')
            threading.Timer(self.delay, self.send, (reply, peer)).start() \
                if self.delay else self.send(reply, peer)

    def send(self, reply, peer):
        try:
            self.udp.sendto(reply, peer)
        except OSError:
            pass  # closed meanwhile, or who asked is gone

    def serve_tcp(self):
        while True:
            try:
                client, _ = self.tcp.accept()
            except OSError:
                return
            with client:
                client.settimeout(5)
                try:
                    self.serve_client(client)
                except OSError:
                    continue

    def serve_client(self, client):
        with client.makefile('rb') as stream:
            while len(size := stream.read(2)) == 2 and self.mood != 'silent':
                query = stream.read(struct.unpack('!H', size)[0])
                time.sleep(self.delay)
                reply = self.answer(query, 'tcp')
                client.sendall(struct.pack('!H', len(reply)) + reply)

    def close(self):
        self.over = True
        for one in (self.udp, self.tcp):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # a datagram socket says so, and wakes up all the same
        for thread in self.threads:
            thread.join(6)
        self.udp.close()
        self.tcp.close()

#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""A ZMTP 3.1 peer with CURVE (RFC 26) on a plain socket, which sends what
libzmq never would; and, as a program, attacks on a hub's port.

usage: rawpeer.py ATTACK --port PORT [--hub-key KEY] [--public KEY]
                  [--secret KEY] [--count N]

It prints "ready" when the attack is under way, goes on until it is killed or
its standard input ends, and then prints how much it did."""

import argparse
import ctypes
import os
import select
import socket
import struct
import sys
import time

import msgpack
import zmq.utils.z85 as z85

SODIUM = ctypes.CDLL('libsodium.so.23')
MAC = 16

GREETING = (b'\xff' + bytes(8) + b'\x7f' + b'\x03\x01'
            + b'CURVE'.ljust(20, b'\0') + bytes(32))

MORE, COMMAND = 1, 2  # flags inside a CURVE message


class Refused(Exception):
    """The other end closed, or said ERROR."""


def keypair():
    public, secret = (ctypes.create_string_buffer(32) for _ in range(2))
    SODIUM.crypto_box_keypair(public, secret)
    return public.raw, secret.raw


def shared(public, secret):
    key = ctypes.create_string_buffer(32)
    if SODIUM.crypto_box_beforenm(key, public, secret):
        raise Refused('a bad public key')
    return key.raw


def box(plain, nonce, key):
    out = ctypes.create_string_buffer(len(plain) + MAC)
    SODIUM.crypto_box_easy_afternm(out, plain, ctypes.c_ulonglong(len(plain)),
                                   nonce, key)
    return out.raw


def unbox(cipher, nonce, key):
    out = ctypes.create_string_buffer(max(1, len(cipher) - MAC))
    if SODIUM.crypto_box_open_easy_afternm(
            out, cipher, ctypes.c_ulonglong(len(cipher)), nonce, key):
        raise Refused('a box that does not open')
    return out.raw[:len(cipher) - MAC]


def frame(body, command=False):
    """A ZMTP frame."""
    flags = 4 if command else 0
    if len(body) > 255:
        return struct.pack('>BQ', flags | 2, len(body)) + body
    return struct.pack('>BB', flags, len(body)) + body


def metadata(**properties):
    return b''.join(
        struct.pack('>B', len(name)) + name + struct.pack('>I', len(value))
        + value for name, value in (
            (name.replace('_', '-').encode(), value)
            for name, value in properties.items()))


class RawPeer:
    """A connection; 'sent' has all bytes that went out, if 'record'."""

    def __init__(self, port, patience=10, record=False):
        self.socket = socket.create_connection(('127.0.0.1', port), patience)
        self.record, self.sent, self.nonce = record, b'', 0

    def close(self):
        self.socket.close()

    def put(self, data):
        if self.record:
            self.sent += data
        self.socket.sendall(data)

    def get(self, size):
        data = b''
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise Refused('closed')
            data += more
        return data

    def get_frame(self):
        flags = self.get(1)[0]
        size = (struct.unpack('>Q', self.get(8))[0] if flags & 2
                else self.get(1)[0])
        return self.get(size)

    def closed(self, patience=10):
        """Does the other end close?"""
        self.socket.settimeout(patience)
        try:
            while self.socket.recv(65536):
                pass
            return True
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def short_nonce(self):
        self.nonce += 1
        return struct.pack('>Q', self.nonce)

    def handshake(self, hub_key, public, secret, identity=b''):
        """Keys are Z85 text."""
        server, own = z85.decode(hub_key), z85.decode(public)
        secret = z85.decode(secret)
        self.put(GREETING)
        self.get(len(GREETING))
        brief, brief_secret = keypair()
        nonce = self.short_nonce()
        self.put(frame(b'\x05HELLO\x01\x00' + bytes(72) + brief + nonce
                       + box(bytes(64), b'CurveZMQHELLO---' + nonce,
                             shared(server, brief_secret)), command=True))
        welcome = self.expect(b'\x07WELCOME')
        plain = unbox(welcome[16:], b'WELCOME-' + welcome[:16],
                      shared(server, brief_secret))
        server_brief, cookie = plain[:32], plain[32:]
        self.key = shared(server_brief, brief_secret)
        random = os.urandom(16)
        vouch = random + box(brief + server, b'VOUCH---' + random,
                             shared(server_brief, secret))
        nonce = self.short_nonce()
        self.put(frame(
            b'\x08INITIATE' + cookie + nonce
            + box(own + vouch + metadata(Socket_Type=b'DEALER',
                                         Identity=identity),
                  b'CurveZMQINITIATE' + nonce, self.key), command=True))
        self.expect(b'\x05READY')
        return self

    def expect(self, name):
        body = self.get_frame()
        if not body.startswith(name):
            raise Refused(repr(body[:40]))
        return body[len(name):]

    def seal(self, payload, flags=0):
        nonce = self.short_nonce()
        return frame(b'\x07MESSAGE' + nonce
                     + box(bytes([flags]) + payload,
                           b'CurveZMQMESSAGEC' + nonce, self.key))

    def send(self, payload, flags=0):
        self.put(self.seal(payload, flags))

    def receive(self):
        body = self.expect(b'\x07MESSAGE')
        return unbox(body[8:], b'CurveZMQMESSAGES' + body[:8], self.key)[1:]


# --- attacks ------------------------------------------------------------------

def connect(port):
    try:
        return socket.create_connection(('127.0.0.1', port), 5)
    except OSError:
        return None


class Attack:
    """Something that a stranger, or an evil scanner, does to a port."""

    def __init__(self, args):
        self.args, self.done, self.open = args, 0, []

    def over(self):
        return bool(select.select([sys.stdin], [], [], 0)[0])

    def run(self):
        self.begin()
        print('ready', flush=True)
        while not self.over():
            self.step()
        print(self.done, flush=True)

    def begin(self):
        pass

    def keep(self, hello=b''):
        """As many open connections as asked for; what closed is replaced."""
        alive = []
        for one in self.open:
            try:
                gone = one.recv(4096, socket.MSG_DONTWAIT) == b''
            except BlockingIOError:
                gone = False
            except OSError:
                gone = True
            if gone:
                one.close()
            else:
                alive.append(one)
        self.open = alive
        while len(self.open) < self.args.count and not self.over():
            one = connect(self.args.port)
            if one is None:
                break
            self.done += 1
            try:
                one.sendall(hello)
                self.open.append(one)
            except OSError:
                one.close()

    def step(self):
        raise NotImplementedError


class Garbage(Attack):
    """Random bytes, as anybody's port scanner or browser sends."""

    def step(self):
        one = connect(self.args.port)
        if one is None:
            return
        one.settimeout(0.05)
        try:
            one.sendall(os.urandom(1 + self.done % 3000))
            one.recv(4096)
        except OSError:
            pass
        one.close()
        self.done += 1


class HalfOpen(Attack):
    """Greetings, and never anything more."""

    def begin(self):
        self.keep(GREETING)

    def step(self):
        self.keep(GREETING)
        time.sleep(0.2)


class Silent(HalfOpen):
    """Connections on which nothing is ever said, to use up descriptors."""

    def begin(self):
        self.keep()

    def step(self):
        self.keep()
        time.sleep(0.05)


class Huge(Attack):
    """A frame of a terabyte where the handshake should be."""

    def step(self):
        one = connect(self.args.port)
        if one is None:
            return
        one.settimeout(0.5)
        try:
            one.sendall(GREETING + struct.pack('>BQ', 6, 1 << 40))
            for _ in range(64):
                one.sendall(bytes(65536))
        except OSError:
            pass
        one.close()
        self.done += 1


class Slow(Attack):
    """A byte a second on each connection."""

    def begin(self):
        self.keep()

    def step(self):
        self.keep()
        for one in self.open:
            at = self.done % len(GREETING)
            try:
                one.send(GREETING[at:at + 1], socket.MSG_DONTWAIT)
            except OSError:
                pass
        self.done += 1
        time.sleep(1)


class Knock(Attack):
    """Whole handshakes with a new key each time."""

    def step(self):
        public, secret = keypair()
        try:
            peer = RawPeer(self.args.port)
        except OSError:
            return
        try:
            peer.handshake(self.args.hub_key, z85.encode(public).decode(),
                           z85.encode(secret).decode())
        except (Refused, OSError):
            pass
        peer.close()
        self.done += 1


class Member(Attack):
    """Says something again and again with a key that the hub admits; a
    connection that the hub closes is made again."""

    version, peer = 1, None

    def join(self):
        self.peer = RawPeer(self.args.port, self.version)
        self.peer.handshake(self.args.hub_key, self.args.public,
                            self.args.secret)
        self.greet()

    def step(self):
        try:
            if self.peer is None:
                self.join()
            self.say()
            self.done += 1
        except (Refused, OSError):
            # A time-out may have cut a frame in two: begin anew.
            if self.peer:
                self.peer.close()
            self.peer = None
            time.sleep(0.1)

    def greet(self):
        raise NotImplementedError

    def say(self):
        raise NotImplementedError


class Endless(Member):
    """One message of frames without an end, again after each close."""

    version = 2

    def greet(self):
        if self.args.hello:
            self.peer.send(bytes.fromhex(self.args.hello))

    def say(self):
        self.peer.send(bytes(200000), MORE)


class Flood(Member):
    """Reports for every subnet id, as fast as they go; no verdict is read."""

    subnet = 0

    def greet(self):
        self.peer.send(msgpack.packb({'v': 1, 't': 'hello', 'now': 1,
                                      'version': 'evil'}))

    def message(self):
        self.subnet += 1
        now = time.time_ns() // 1000000
        return {'v': 1, 't': 'report', 'id': os.urandom(16), 'part': 0,
                'subnet': self.subnet, 'cidr': '10.0.0.0/24', 'kind': 'both',
                'off': 0, 'started': now, 'finished': now,
                'hosts': [{'ip': bytes([10, 0, 0, at]), 'seen': now}
                          for at in range(1, 255)]}

    def say(self):
        self.peer.send(msgpack.packb(self.message()))


class Greedy(Flood):
    """Large answers, one after the other, that nobody takes."""

    def message(self):
        if self.done % 8 == 0:
            return {'v': 1, 't': 'hello', 'now': 1, 'version': 'evil'}
        return {'v': 1, 't': 'targets', 'subnet': self.args.subnet}


ATTACKS = {'garbage': Garbage, 'half-open': HalfOpen, 'silent': Silent,
           'huge': Huge, 'slow': Slow, 'knock': Knock, 'endless': Endless,
           'flood': Flood, 'greedy': Greedy}


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument('attack', choices=ATTACKS)
    options.add_argument('--port', type=int, required=True)
    options.add_argument('--count', type=int, default=1)
    options.add_argument('--subnet', type=int)
    options.add_argument('--hello', help='hex, said before the attack')
    for name in ('--hub-key', '--public', '--secret'):
        options.add_argument(name)
    args = options.parse_args()
    os.nice(10)  # the hub and the honest scanner are what is measured
    ATTACKS[args.attack](args).run()


if __name__ == '__main__':
    sys.exit(main())

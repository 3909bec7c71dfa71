#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""A hub behind a SOCKS5 proxy: a real scanner, a real hub, and a proxy of the
test's own that carries bytes, or refuses, is silent, hangs up.  The hub's name
in scanner.yaml is one that only the proxy knows."""

import http.client
import json
import select
import socket
import struct
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True

import harness
from harness import CODE_A, Stage, case, comment, end, equal, free_port, until
from service import Scanner

SHIM = harness.BUILD / 'shim' / 'scanhub-shim'
HUB = 'hub.behind.invalid'


class Proxy:
    """RFC 1928, CONNECT without authentication.  'mode' says what it does in
    place of that: silent, auth, garbage, hang-up; mute (no reply to the
    request), or a number to refuse with."""

    def __init__(self, port, mode=None, address='127.0.0.1'):
        self.hub_port, self.mode, self.address = port, mode, address
        self.requests, self.upstream, self.open = [], set(), []
        self.accepted = 0
        self.listener = socket.socket(
            socket.AF_INET6 if ':' in address else socket.AF_INET)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, 0))
        self.listener.listen(20)
        self.port = self.listener.getsockname()[1]
        self.place = (f'[{address}]' if ':' in address else address) \
            + f':{self.port}'
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            self.accepted += 1
            self.open.append(client)
            threading.Thread(target=self.serve, args=(client,),
                             daemon=True).start()

    def exactly(self, client, size):
        data = b''
        while len(data) < size:
            more = client.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def read_request(self, client):
        version, command, _, kind = self.exactly(client, 4)
        equal((version, command), (5, 1), 'version and command')
        if kind == 1:
            host = socket.inet_ntop(socket.AF_INET, self.exactly(client, 4))
        elif kind == 4:
            host = socket.inet_ntop(socket.AF_INET6, self.exactly(client, 16))
        else:
            host = self.exactly(client, self.exactly(client, 1)[0]).decode()
        port = struct.unpack('>H', self.exactly(client, 2))[0]
        self.requests.append((kind, host, port))

    def greet(self, client):
        """False: that was all."""
        if self.mode == 'hang-up':
            return False
        version, methods = self.exactly(client, 2)
        equal((version, self.exactly(client, methods)), (5, b'\0'), 'greeting')
        if self.mode == 'silent':
            time.sleep(60)
        if self.mode == 'garbage':
            client.sendall(b'HTTP/1.1 400 Bad Request\r\n\r\n')
            return False
        client.sendall(b'\5\xff' if self.mode == 'auth' else b'\5\0')
        return self.mode != 'auth'

    def serve(self, client):
        try:
            if not self.greet(client):
                return
            self.read_request(client)
            if self.mode == 'mute':
                time.sleep(60)
            if isinstance(self.mode, int):
                client.sendall(bytes([5, self.mode, 0, 1]) + bytes(6))
                return
            hub = socket.create_connection(('127.0.0.1', self.hub_port))
            self.open.append(hub)
            self.upstream.add(hub.getsockname()[1])
            # as a name: the longest of the forms
            client.sendall(b'\5\0\0\3\4here\x12\x34')
            self.carry(client, hub)
        except (OSError, EOFError, ValueError):
            pass
        finally:
            client.close()

    def carry(self, client, hub):
        while True:
            for one in select.select([client, hub], [], [])[0]:
                data = one.recv(1000)
                if not data:
                    hub.close()
                    return
                (hub if one is client else client).sendall(data)

    def cut(self):
        """End every connection that there is."""
        for one in self.open:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.open = []

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()


class Shim:
    """A scanhub-shim behind a proxy."""

    def __init__(self, stage, proxy):
        directory = stage.directory / f'shim-{time.monotonic_ns()}'
        directory.mkdir()
        public, secret = stage.hub.scanner(directory.name, CODE_A)
        stage.hub.reload()
        cert, path = directory / 'shim.cert', directory / 'shim.yaml'
        for one in (cert, path):
            one.touch(0o600)
        cert.write_text(f'curve\n    public-key = "{public}"\n'
                        f'    secret-key = "{secret}"\n')
        self.port = free_port()
        path.write_text(
            f"hub:\n  endpoint: tcp://{HUB}:5766\n"
            f"  key: '{stage.hub.public}'\n  socks: '{proxy.place}'\n"
            f'key: {cert}\nhttp:\n'
            f'  listen: 127.0.0.1:{self.port}\n'
            f'  spool: {directory}/shim.spool\n'
            '  tokens:\n    - label: every\n      token: a-long-old-token\n')
        with open(directory / 'shim.log', 'wb') as log:
            self.process = subprocess.Popen(
                [str(SHIM), '--config', str(path)], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, preexec_fn=harness.die_with_us)

    def post(self, report):
        """The status of the answer; 0 while nobody listens."""
        link = http.client.HTTPConnection('127.0.0.1', self.port, timeout=20)
        try:
            link.request('POST', '/', json.dumps(report), {
                'Authorization': 'Bearer a-long-old-token'})
            return link.getresponse().status
        except ConnectionRefusedError:
            return 0
        finally:
            link.close()

    def close(self):
        equal(end(self.process), 0, 'exit status of the shim')


class Socks(Stage):
    def reset(self):
        super().reset()
        self.sql.rows('DELETE FROM subnets')
        self.subnet(20, '127.0.0.0/28')

    def proxy(self, mode=None, port=None, **more):
        proxy = Proxy(port or self.hub.port, mode, **more)
        self.extra.append(proxy)
        return proxy

    def scanner(self, *hubs):
        scanner = Scanner(self, [(endpoint, self.hub.public, proxy)
                                 for endpoint, proxy in hubs], spool='none')
        self.extra.append(scanner)
        return scanner

    def behind(self, proxy, endpoint=f'tcp://{HUB}:5766'):
        return self.scanner((endpoint, proxy.place))

    def direct(self, proxy):
        """Local ports of connections to the hub that are not the proxy's."""
        found = set()
        for line in open('/proc/net/tcp').read().splitlines()[1:]:
            local, remote, state = line.split()[1:4]
            if int(remote.split(':')[1], 16) == self.hub.port \
                    and state in ('01', '02'):  # established, being so
                found.add(int(local.split(':')[1], 16))
        return found - proxy.upstream


def fails(s, mode, words, status=69, wait=20):
    """What 'once' says of a proxy like that; how long it took."""
    proxy = s.proxy(mode)
    done = s.behind(proxy).once(wait)
    text = words.replace('PROXY', proxy.place).replace('HUB', f'{HUB}:5766')
    assert text in done.said, f'{text!r} is not in\n{done.said}'
    equal(done.returncode, status, 'exit status')
    assert proxy.accepted > 0
    return done.took


@case('once by way of the proxy, which alone knows the hub\'s name')
def _(s):
    s.subnet(21, '127.0.1.0/24')
    proxy = s.proxy()
    done = s.behind(proxy).once()
    equal(done.returncode, 0, done.said)
    equal((s.count(20), s.count(21)), (14, 254), 'rows')
    equal(proxy.requests, [(3, HUB, 5766)], 'requests')
    assert "SOCKS" not in done.said, done.said


@case('the hub as an address: sent as such, and never connected to by us')
def _(s):
    proxy = s.proxy()
    scanner = s.behind(proxy, s.hub.endpoint)
    scanner.start()
    until(lambda: s.count(20) == 14, 'rows')
    equal(s.direct(proxy), set(), 'connections around the proxy')
    assert s.hub.port in {port for _, _, port in proxy.requests}
    equal(proxy.requests, [(1, '127.0.0.1', s.hub.port)], 'requests')
    six = s.proxy()
    equal(s.behind(six, 'tcp://[2001:db8::5]:99').once().returncode, 0)
    equal(six.requests, [(4, '2001:db8::5', 99)], 'requests')


@case('a proxy at an IPv6 address')
def _(s):
    try:
        proxy = s.proxy(address='::1')
    except OSError as reason:
        raise harness.Skip(f'no ::1 here: {reason}')
    done = s.behind(proxy).once()
    equal(done.returncode, 0, done.said)
    equal(s.count(20), 14, 'rows')


@case('no proxy there, and none of that name: both are said, soon')
def _(s):
    for place, words in (
            (f'127.0.0.1:{free_port()}', 'does not answer: Connection refused'),
            ('proxy.invalid:1080', 'cannot be resolved')):
        done = s.scanner((f'tcp://{HUB}:5766', place)).once()
        assert 'the SOCKS proxy' in done.said, done.said
        assert words in done.said, done.said
        assert 'is scanhubd running' not in done.said, done.said
        equal(done.returncode, 69, 'exit status')
        comment(f'{words}: {done.took:.1f} s')


@case('a proxy that refuses, with its reason',
      long=True)
def _(s):
    for code, reason in ((1, 'a failure of its own'),
                         (2, 'its rules do not allow it'),
                         (4, 'the host is unreachable'),
                         (5, 'the connection was refused'),
                         (77, 'an unknown reason')):
        fails(s, code, 'the SOCKS proxy PROXY does not connect us to HUB: '
                       f'{reason} ({code})')


@case('a proxy that wants a password, hangs up, or is none')
def _(s):
    fails(s, 'auth', 'the SOCKS proxy PROXY asks for authentication')
    fails(s, 'hang-up', 'the SOCKS proxy PROXY ends the connection')
    fails(s, 'garbage', 'PROXY is no SOCKS5 proxy')


@case('a silent proxy, and one that does not get through: 5 s each',
      long=True)
def _(s):
    for mode, words in (('silent', 'the SOCKS proxy PROXY does not answer'),
                        ('mute', 'the SOCKS proxy PROXY does not get through '
                                 'to HUB')):
        took = fails(s, mode, words, wait=8)
        comment(f'{mode}: {took:.1f} s with a patience of 8 s')
        assert 5 <= took < 20, took


@case('the proxy is fine and the hub is silent: it is the hub that is named',
      long=True)
def _(s):
    with socket.socket() as silent:
        silent.bind(('127.0.0.1', 0))
        silent.listen(20)
        proxy = s.proxy(port=silent.getsockname()[1])
        done = s.behind(proxy).once(12)
    assert f'tcp://{HUB}:5766 accepts the connection and is silent' \
        in done.said, done.said
    equal(done.returncode, 69, 'exit status')


@case('connections that the proxy cuts: a new session, nothing is lost',
      long=True)
def _(s):
    proxy = s.proxy()
    scanner = s.behind(proxy)
    scanner.start()
    until(lambda: s.count(20) == 14, 'rows')
    for _ in range(3):
        before = len(proxy.requests)
        proxy.cut()
        until(lambda: len(proxy.requests) > before, 'a new connection')
        s.sql.rows('DELETE FROM ipaddresses')
        until(lambda: s.count(20) == 14, 'rows again')
    assert 'was lost' in scanner.log()


@case('attempts that fail leave no descriptor and no thread',
      long=True)
def _(s):
    proxy = s.proxy(5)
    scanner = s.behind(proxy)
    scanner.start()
    until(lambda: proxy.accepted >= 3, 'attempts')
    descriptors = scanner.descriptors()
    until(lambda: proxy.accepted >= 7, 'more attempts', 80)
    # each scan under way has a few of its own
    assert scanner.descriptors() <= descriptors + 12, scanner.descriptors()
    assert scanner.threads() <= 6, scanner.threads()
    proxy.mode = None
    until(lambda: s.count(20) == 14, 'rows, now that it lets us', 80)


@case('a list: the first behind a dead proxy, the second without one')
def _(s):
    dead = f'127.0.0.1:{free_port()}'
    done = s.scanner((f'tcp://{HUB}:5766', dead), (s.hub.endpoint, None)).once()
    equal(done.returncode, 0, done.said)
    equal(s.count(20), 14, 'rows')
    assert f'the SOCKS proxy {dead} does not answer' in done.said


@case('a shim by way of the proxy')
def _(s):
    if not SHIM.exists():
        raise harness.Skip('built without the shim')
    proxy = s.proxy()
    shim = Shim(s, proxy)
    s.extra.append(shim)
    seen = time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())
    report = {'code': CODE_A, 'scan': {
        'subnet': '127.0.0.0/28', 'tz': '+0000', 'results': [
            {'subnetId': '20', 'ip': '127.0.0.3', 'lastSeen': seen}]}}
    until(lambda: shim.post(report) == 200, 'the shim takes the report')
    until(lambda: s.count(20) == 1, 'the row')
    equal(proxy.requests, [(3, HUB, 5766)], 'requests')


@case('places that are none')
def _(s):
    for place in ('', 'proxy', 'proxy:0', '::1:1080', 'socks5://proxy:1080',
                  'user@proxy:1080'):
        scanner = s.scanner((s.hub.endpoint, 'X'))
        text = scanner.path.read_text().replace("'X'", f"'{place}'")
        scanner.path.write_text(text)
        done = scanner.once()
        equal(done.returncode, 78, place)
        assert "'socks' must be the HOST:PORT" in done.said, done.said


if __name__ == '__main__':
    sys.exit(harness.main(Socks))

#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""The HTTP door as the scanners of the older agent see it: every case of what
the server of that agent answered, status by status and body by body, real old
clients, and hostile input.  A line for each."""

import http.client
import json
import shutil
import socket
import sys
import threading
import time
import urllib.error
import urllib.request

sys.dont_write_bytecode = True

import harness
from harness import Skip, case, equal, until
from http_stage import (AGENT_NAME, CIDR, CODE, SUBNET, TOKEN, Answer, Door,
                        chunked, entry, exchange, read_all, report, request,
                        tool)

LIMIT = 1048576
TRICKLE = 30  # seconds that a request may take
MISSING = '401: Missing authorization token'
NOT_BEARER = 'Only Bearer type is accepted'
INVALID = 'Invalid authorization token'
NOT_JSON = 'Invalid JSON payload'
NOT_ALLOWED = '405: Method Not Allowed'


class Contract(Door):
    trickle = None

    def open(self):
        super().open()
        self.trickle = Trickle(self.port)

    def close(self):
        if self.trickle:
            self.trickle.end()
        return super().close()

    def answers(self, data, status, body=None):
        """Bytes and what they must be answered with."""
        answer = self.send(data)
        equal((answer.status, body and answer.body), (status, body),
              f'{data[:200]!r}')
        equal(answer.headers.get('connection'), 'close', f'{data[:200]!r}')
        return answer

    def with_header(self, line, **fields):
        """A good request with an Authorization line of one's own."""
        return request(report(), token=None, more=[line], **fields)

    def unharmed(self, *requests, status=400):
        """Requests that must be answered with a status; nothing is written
        and the hub goes on."""
        before = self.tables()
        for data in requests:
            self.answers(data, status)
        equal(self.tables(), before, 'tables')
        self.alive_and_well()


class Trickle:
    """A body of which a byte comes each second, beside all other cases."""

    def __init__(self, port):
        self.began = time.monotonic()
        self.took = self.data = None
        self.sock = socket.create_connection(('127.0.0.1', port), 60)
        self.sock.sendall(request(b'', length=False,
                                  more=['Content-Length: 1000']))
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        self.sock.settimeout(1)
        data = b''
        while not self.ending.is_set():
            try:
                self.sock.sendall(b'x')
                data += self.sock.recv(4096)
                break
            except TimeoutError:
                pass
            except OSError:
                break
        self.took = time.monotonic() - self.began
        self.sock.settimeout(5)
        self.data = data + (read_all(self.sock) if data else b'')

    def end(self):
        self.ending.set()
        self.thread.join(10)
        self.sock.close()


# --- the table --------------------------------------------------------------

@case('200: POST to any path, answered with the path without its first /')
def _(s):
    for path, body in (('/', ''), ('/endpoint', 'endpoint'),
                       ('/a/b/c', 'a/b/c'), ('/a/', 'a/'), ('//x', '/x'),
                       ('/x?y=1', 'x'), ('/a%20b', 'a b')):
        s.answers(request(report(), path=path), 200, body)


@case('200: any JSON; what is no report says so in the body')
def _(s):
    before = s.tables()
    for body in ('{}', '[]', '1', '"text"', 'null', 'true', '[{}]',
                 '{"code": 1, "scan": 2}', ' {"scan": {}} '):
        answer = s.answers(request(body), 200)
        assert answer.body.startswith('refused: bad-message: '), answer
    equal(s.tables(), before)


@case('200: with the answer comes the row, not a promise')
def _(s):
    for at in range(1, 21):
        equal(s.post(entry(f'10.0.7.{at}')).status, 200)
        equal(s.count(SUBNET), at)


@case('401: no Authorization header, with any method')
def _(s):
    for method in ('POST', 'GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'X'):
        s.answers(request(report(), token=None, method=method), 401, MISSING)
    s.answers(request(token=None, method='HEAD'), 401, '')


@case('401: two words, but the scheme is not exactly Bearer')
def _(s):
    for scheme in ('Basic', 'bearer', 'BEARER', 'Token', 'Bearer:'):
        s.answers(s.with_header(f'Authorization: {scheme} {TOKEN}'), 401,
                  NOT_BEARER)


@case('401: a token that is wrong')
def _(s):
    for token in ('wrong', TOKEN[:-1], TOKEN + 'x', TOKEN.upper(),
                  'no-token-set', 'x' * 5000, "' OR '1'='1"):
        s.answers(request(report(), token=token), 401, INVALID)


@case('401: a token that is empty or oddly spaced')
def _(s):
    for value in ('', ' ', 'Bearer', 'Bearer ', TOKEN, f'Bearer  {TOKEN}',
                  f'Bearer {TOKEN} x', f'Bearer\t{TOKEN}',
                  f'Bearer{TOKEN}'):
        s.answers(s.with_header(f'Authorization:{value}'), 401, INVALID)


@case('401: who asks comes before everything else')
def _(s):
    for data, body in (
            (request('nonsense', token='wrong'), INVALID),
            (request(report(), token='wrong', method='GET'), INVALID),
            (request(report(), token=None, more=['Content-Length: 5']),
             MISSING),
            (request(b'x' * (LIMIT + 1), token=None), MISSING)):
        s.answers(data, 401, body)


@case('400: not JSON')
def _(s):
    for body in ('x', '{', '{"a": }', "{'a': 1}", '{"a": 1,}', '{} {}',
                 '{"a": NaN}', '\ufeff{}', '{"a": "\\x"}', '"\\u0000'):
        s.answers(request(body), 400, NOT_JSON)


@case('400: no body')
def _(s):
    s.answers(request(b''), 400, NOT_JSON)
    s.answers(request(b'', length=False), 400, NOT_JSON)
    s.answers(request(length=False, more=['Transfer-Encoding: chunked'])
              + b'0\r\n\r\n', 400, NOT_JSON)
    s.answers(request(b' \r\n\t '), 400, NOT_JSON)


@case('405: other methods, with Allow: POST')
def _(s):
    for method in ('GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'post', 'X'):
        answer = s.answers(request(report(), method=method), 405, NOT_ALLOWED)
        equal(answer.headers['allow'], 'POST')
    equal(s.answers(request(method='HEAD'), 405, '').headers['allow'], 'POST')


def too_large(size):
    return (f'Maximum request body size {LIMIT} exceeded, actual body size '
            f'{size}')


@case('413: a body over 1,048,576 bytes by its Content-Length')
def _(s):
    for size in (LIMIT + 1, 3 << 20, 8 << 20):
        s.answers(request(b' ' * size), 413, too_large(size))


@case('413: a chunked body over 1,048,576 bytes')
def _(s):
    more = ['Transfer-Encoding: chunked']
    for size in (LIMIT + 1, 3 << 20):
        s.answers(request(length=False, more=more)
                  + chunked(b' ' * size, 65536), 413, too_large(size))


@case('413: where the client waits for 100-continue, none is sent')
def _(s):
    head = request(length=False, more=['Expect: 100-continue',
                                       f'Content-Length: {LIMIT + 1}'])
    answer = s.answers(head, 413, too_large(LIMIT + 1))
    equal(answer.interim, [])


@case('200: a body of 1,048,576 bytes is not over the limit')
def _(s):
    body = report(entry('10.0.7.5')).encode()
    s.answers(request(body + b' ' * (LIMIT - len(body))), 200, '')
    equal(s.count(SUBNET), 1)
    s.answers(request(length=False, more=['Transfer-Encoding: chunked'])
              + chunked(body + b' ' * (LIMIT - len(body)), 65536), 200, '')


@case('400: invalid UTF-8')
def _(s):
    good = report(entry('10.0.7.5', hostname='NAME')).encode()
    s.unharmed(*(request(good.replace(b'NAME', bad)) for bad in
                 (b'\xff', b'\xc3', b'\xc0\x80', b'\xed\xa0\x80',
                  b'\xf4\x90\x80\x80', b'M\xfcller')))


@case('400: nested 5,000 deep')
def _(s):
    good = report(entry('10.0.7.5', hostname='NAME'))
    s.unharmed(*(request(body) for body in
                 ('[' * 5000 + ']' * 5000, '[' * 500000,
                  '{"a":' * 5000 + '1' + '}' * 5000,
                  good.replace('"NAME"', '[' * 5000 + ']' * 5000))))


@case('400: duplicate keys in an object')
def _(s):
    good = report(entry('10.0.7.5'))
    s.unharmed(*(request(body) for body in
                 (good.replace('{"code"', '{"code": "x", "code"', 1),
                  good.replace('"tz"', '"tz": "", "tz"'),
                  good.replace('"ip"', '"ip": "10.0.7.6", "ip"'))))


@case('400: Content-Length together with Transfer-Encoding')
def _(s):
    body = report(entry('10.0.7.5'))
    raw = chunked(body)
    for lines in (['Transfer-Encoding: chunked', f'Content-Length: {len(raw)}'],
                  [f'Content-Length: {len(raw)}', 'Transfer-Encoding: chunked'],
                  ['Content-Length: 4', 'transfer-encoding: chunked']):
        s.unharmed(request(length=False, more=lines) + raw)


@case('400: two Content-Lengths, or one that is no number')
def _(s):
    body = report(entry('10.0.7.5'))
    size = len(body)
    for lines in ([f'Content-Length: {size}'] * 2,
                  [f'Content-Length: {size}', 'Content-Length: 5'],
                  [f'Content-Length: {size}, {size}'],
                  [f'Content-Length: +{size}'], ['Content-Length: 0x10'],
                  ['Content-Length: -5'], ['Content-Length: ']):
        s.unharmed(request(length=False, more=lines) + body.encode())


@case('200: chunked bodies, of whatever chunks')
def _(s):
    head = request(length=False, more=['Transfer-Encoding: chunked'])
    for at, raw in enumerate((
            chunked(report(entry('10.0.7.1'))),
            chunked(report(entry('10.0.7.2')), 1),
            chunked(report(entry('10.0.7.3')), 7, b';name=value'),
            chunked(report(entry('10.0.7.4')), trailer=b'X-After: 1\r\n')), 1):
        s.answers(head + raw, 200, '')
        equal(s.count(SUBNET), at)


@case('200: Expect: 100-continue is answered before the body comes')
def _(s):
    body = report(entry('10.0.7.5')).encode()
    with socket.create_connection(('127.0.0.1', s.port), 10) as sock:
        sock.sendall(request(length=False, more=[
            'Expect: 100-continue', f'Content-Length: {len(body)}']))
        interim = sock.recv(4096)
        equal(interim, b'HTTP/1.1 100 Continue\r\n\r\n')
        sock.sendall(body)
        answer = Answer(interim + read_all(sock))
    equal((answer.status, answer.body, answer.interim), (200, '', [100]))
    equal(s.count(SUBNET), 1)


@case('200: HTTP/1.0')
def _(s):
    s.answers(request(report(entry('10.0.7.5')), version='1.0'), 200, '')
    equal(s.count(SUBNET), 1)


@case('200: any content type, or none')
def _(s):
    for at, kind in enumerate(('text/plain', 'application/octet-stream',
                               'application/x-www-form-urlencoded',
                               'multipart/form-data; boundary=x',
                               'application/json; charset=latin-1',
                               'nonsense', None), 1):
        s.answers(request(report(entry(f'10.0.7.{at}')), kind=kind), 200, '')
        equal(s.count(SUBNET), at, kind)


@case('200: results as a JSON text that holds the list')
def _(s):
    body = json.dumps({'code': CODE, 'scan': {
        'subnet': CIDR, 'tz': '+0000',
        'results': json.dumps([entry('10.0.7.5'), entry('10.0.7.6')])}})
    s.answers(request(body), 200, '')
    equal(s.count(SUBNET), 2)


@case('the connection is closed whatever the client wishes')
def _(s):
    first = request(report(entry('10.0.7.5'))).replace(
        b'Connection: close', b'Connection: keep-alive')
    second = request(report(entry('10.0.7.6')))
    answer = s.answers(first + second, 200, '')
    equal(answer.headers['content-length'], '0')
    time.sleep(0.3)
    equal(s.columns('id', '10.0.7.6', SUBNET), None, 'the one behind it')


@case('the body may come in pieces')
def _(s):
    data = request(report(entry('10.0.7.5')))
    with socket.create_connection(('127.0.0.1', s.port), 10) as sock:
        for at in range(0, len(data), 17):
            sock.sendall(data[at:at + 17])
            time.sleep(0.002)
        equal(Answer(read_all(sock)).status, 200)
    equal(s.count(SUBNET), 1)


@case('a client that does not wait: its report is applied all the same')
def _(s):
    for at, leave in enumerate((socket.socket.close,
                                lambda sock: sock.shutdown(socket.SHUT_WR)), 1):
        with socket.create_connection(('127.0.0.1', s.port), 10) as sock:
            sock.sendall(request(report(entry(f'10.0.7.{at}'))))
            leave(sock)
            until(lambda: s.count(SUBNET) == at, 'the row')
    s.alive_and_well()


@case('Accept: application/json: counts and causes')
def _(s):
    s.seen_row('10.0.7.4', harness.ago(500), SUBNET)
    counts = s.took(entry('10.0.7.4'), entry('10.0.7.5', hostname='-'),
                    entry('10.0.8.5'), entry('10.0.7.300'))
    equal({name: counts[name] for name in
           ('seen', 'new', 'names_dropped', 'hosts_refused')},
          {'seen': 1, 'new': 1, 'names_dropped': 1, 'hosts_refused': 2})
    equal(sorted((one['ip'], one['cause']) for one in counts['refused']),
          [('10.0.7.300', 'host-address'), ('10.0.8.5', 'host-outside')])
    answer = s.post(entry('10.0.7.5'), code='NoSuchCode', json=True)
    said = answer.json()
    equal((answer.status, said['result'], said['cause']),
          (200, 'refused', 'agent-unknown'))
    assert said['text'], said
    answer = s.send(request('x', more=['Accept: text/html;q=0.1, '
                                       'application/json;q=0.9']))
    equal((answer.status, answer.json()['result']), (400, 'invalid'))
    answer = s.send(request(report(), more=['Accept: */*']))
    equal(answer.body, '')


# --- old clients ------------------------------------------------------------

def curl(s, *words, body=None, path='/'):
    """Status and body of what curl gets."""
    if not shutil.which('curl'):
        raise Skip('there is no curl')
    file = s.directory / 'body'
    file.write_text(report() if body is None else body)
    out = tool('curl', '--silent', '--show-error', '--max-time', '20',
               '--noproxy', '*',
               '--header', f'Authorization: Bearer {TOKEN}',
               '--data-binary', f'@{file}', '--write-out', '\n%{http_code}',
               *words, f'http://127.0.0.1:{s.port}{path}')
    text, _, status = out.rpartition('\n')
    return int(status), text


@case('curl: plain, with any content type of its own')
def _(s):
    equal(curl(s, body=report(entry('10.0.7.5')), path='/hook'),
          (200, 'hook'))
    equal(s.count(SUBNET), 1)


@case('curl: chunked, HTTP/1.0, waiting for 100-continue')
def _(s):
    for at, words in enumerate((
            ('--header', 'Transfer-Encoding: chunked'), ('--http1.0',),
            ('--header', 'Expect: 100-continue',
             '--expect100-timeout', '15')), 1):
        equal(curl(s, *words, body=report(entry(f'10.0.7.{at}'))), (200, ''))
        equal(s.count(SUBNET), at)


@case('curl: a large body, which it announces by itself')
def _(s):
    body = report(entry('10.0.7.5'))
    equal(curl(s, body=body + ' ' * (LIMIT - len(body))), (200, ''))
    equal(curl(s, '--header', 'Expect:', body=' ' * (2 << 20)),
          (413, too_large(2 << 20)))


def sample_headers():
    return {'User-Agent': AGENT_NAME, 'Authorization': f'Bearer {TOKEN}',
            'Content-Type': 'application/json', 'Connection': 'close'}


@case('http.client with exactly the scanner\'s headers')
def _(s):
    client = http.client.HTTPConnection('127.0.0.1', s.port, timeout=30)
    client.putrequest('POST', '/', skip_host=True, skip_accept_encoding=True)
    body = report(entry('10.0.7.5')).encode()
    client.putheader('Host', f'127.0.0.1:{s.port}')
    for name, value in sample_headers().items():
        client.putheader(name, value)
    client.putheader('Content-Length', str(len(body)))
    client.endheaders(body)
    answer = client.getresponse()
    equal((answer.status, answer.read(), answer.getheader('Connection')),
          (200, b'', 'close'))
    equal(s.count(SUBNET), 1)


@case('urllib, as Ansible\'s uri module uses it')
def _(s):
    def ask(body, token=TOKEN):
        headers = {**sample_headers(), 'Authorization': f'Bearer {token}'}
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(
                f'http://127.0.0.1:{s.port}/', body.encode(), headers),
                timeout=30) as answer:
            return answer.status, answer.read()
    equal(ask(report(entry('10.0.7.5'))), (200, b''))
    try:
        ask(report(), token='wrong')
        raise AssertionError('a wrong token was accepted')
    except urllib.error.HTTPError as error:
        equal((error.code, error.read()), (401, INVALID.encode()))
    equal(s.count(SUBNET), 1)


@case('forty scanners at the same time')
def _(s):
    wrong = []

    def go(at):
        for turn in range(5):
            answer = s.post(entry(f'10.0.7.{at * 5 + turn + 1}'))
            if answer.status != 200 or answer.body:
                wrong.append(answer)
    threads = [threading.Thread(target=go, args=(at,)) for at in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    equal(wrong, [])
    equal(s.count(SUBNET), 200)


# --- hostile input ----------------------------------------------------------

@case('two Authorization headers')
def _(s):
    good = f'Authorization: Bearer {TOKEN}'
    body = report(entry('10.0.7.5'))
    s.unharmed(request(body, more=[good]),
               request(body, more=['Authorization: Bearer wrong']))
    s.unharmed(request(body, token=None,
                       more=['Authorization: Bearer wrong', good]), status=401)


@case('other Transfer-Encodings, and any in HTTP/1.0')
def _(s):
    raw = chunked(report(entry('10.0.7.5')))
    for coding in ('gzip, chunked', 'chunked, chunked', 'identity', 'xchunked',
                   'chunked;q=1'):
        s.unharmed(request(length=False,
                           more=[f'Transfer-Encoding: {coding}']) + raw)
    s.unharmed(request(length=False, version='1.0',
                       more=['Transfer-Encoding: chunked']) + raw)


@case('chunks that are none')
def _(s):
    before = s.tables()
    head = request(length=False, more=['Transfer-Encoding: chunked'])
    for raw in (b'zz\r\n', b'-5\r\nabcde\r\n', b'5\r\nabcdefgh\r\n0\r\n\r\n',
                b'fffffffffffffffffff\r\n', b'\r\n\r\n', b'5 5\r\nabcde\r\n'):
        data = exchange(s.port, head + raw + b'0\r\n\r\n')
        if data:
            assert Answer(data).status in (400, 413), (raw, data)
    equal(s.tables(), before)
    s.alive_and_well()


@case('no HTTP at all',
      long=True)
def _(s):
    for data in (b'GARBAGE\r\n\r\n', b'\r\n' * 500, b'\x00' * 2000,
                 b'\xff' * 2000, b'\x16\x03\x01\x02\x00\x01\x00' + bytes(600),
                 b'POST\r\n\r\n', b'POST / HTTP/9.9\r\n\r\n',
                 b'POST / \r\n\r\n', b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
                 b'POST ' + b'/' * 20000):
        with socket.create_connection(('127.0.0.1', s.port), 10) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            answer = read_all(sock)
        assert not answer or Answer(answer).status >= 400, answer[:200]
    s.alive_and_well()


@case('headers without end')
def _(s):
    for lines in (['X: ' + 'y' * 40000], [f'X-{at}: y' for at in range(5000)],
                  ['X' * 40000 + ': y']):
        data = exchange(s.port, request(report(), more=lines))
        assert not data or Answer(data).status in (400, 413, 431), data[:200]
    s.alive_and_well()


@case('lists where objects belong, and the other way round')
def _(s):
    before = s.tables()
    host = entry('10.0.7.5')
    for body in ([], [[]], {'code': [], 'scan': {}}, {'code': CODE, 'scan': []},
                 {'code': CODE, 'scan': {'subnet': [], 'results': []}},
                 {'code': CODE, 'scan': {'subnet': CIDR, 'results': {}}},
                 {'code': CODE, 'scan': {'subnet': CIDR, 'results': host}},
                 {'code': CODE, 'scan': {'subnet': CIDR, 'results': '{}'}},
                 {'code': CODE, 'scan': {'subnet': CIDR, 'results': 'x'}},
                 {'code': CODE, 'scan': {'subnet': CIDR}}):
        answer = s.answers(request(json.dumps(body)), 200)
        assert answer.body.startswith('refused: bad-message: '), (body, answer)
    equal(s.tables(), before)
    counts = s.took([], [host], 'text', 7, None, {}, {**host, 'ip': [1]},
                    {**host, 'lastSeen': {}}, {**host, 'subnetId': []}, host)
    equal((counts['hosts_refused'], counts['new']), (9, 1))
    equal(s.count(SUBNET), 1)
    s.alive_and_well()


@case('a body of as many hosts as fit')
def _(s):
    body = report(*[{'ip': '10.0.7.5'}] * 30000)
    assert len(body) < LIMIT
    counts = s.send(request(body, more=['Accept: application/json'])).json()
    equal((counts['hosts_refused'], len(counts['refused'])), (30000, 64))
    body = json.dumps({'code': CODE, 'scan': {'subnet': CIDR, 'results':
                                              [[]] * 250000}})
    s.unharmed(request(body))


@case('300 connections that say nothing keep nobody out',
      long=True)
def _(s):
    idle = [socket.create_connection(('127.0.0.1', s.port), 10)
            for _ in range(300)]
    try:
        s.alive_and_well()
        for sock in idle[::2]:
            sock.sendall(b'POST / HTTP/1.1\r\nHost: ')
        s.alive_and_well()
        # Each has 5 s for its headers.
        for sock in idle:
            sock.settimeout(20)
            equal(sock.recv(1), b'')
    except ConnectionResetError:
        pass
    finally:
        for sock in idle:
            sock.close()
    s.alive_and_well()


@case('bodies that are announced and never come')
def _(s):
    waiting = [socket.create_connection(('127.0.0.1', s.port), 10)
               for _ in range(200)]
    try:
        for sock in waiting:
            sock.sendall(request(length=False,
                                 more=[f'Content-Length: {LIMIT}']) + b'{')
        s.alive_and_well()
    finally:
        for sock in waiting:
            sock.close()
    s.alive_and_well()


@case('a body at a byte a second is answered after 30 s',
      long=True)
def _(s):
    s.trickle.thread.join(TRICKLE + 20)
    assert s.trickle.took is not None, 'still open'
    answer = Answer(s.trickle.data)
    equal(answer.status, 408)
    assert TRICKLE - 2 < s.trickle.took < TRICKLE + 5, s.trickle.took
    s.alive_and_well()


if __name__ == '__main__':
    sys.exit(harness.main(Contract))

# SPDX-License-Identifier: MPL-2.0
"""A stage with an HTTP door, and what the older agent's scanner sends to it:
byte by byte, because the bytes are what is tested."""

import calendar
import json
import socket
import subprocess
import time

from harness import PATIENCE, Stage, decimal, equal, until, wall
from peer import now_ms

CODE = 'siteacodesiteacodesiteacode00001'   # as in the sample bodies
OTHER = 'sitebcodesitebcodesitebcode00002'  # of another agent without a key
AGENT, OTHER_AGENT = 4, 5
SUBNET, CIDR = 20, '10.0.7.0/24'            # what AGENT reports of

TOKEN = 'token-of-every-code'
BOUND = 'token-of-one-code'
TOKENS = f'''\
  tokens:
    - label: every
      token: {TOKEN}
    - label: bound
      token: {BOUND}
      codes: [{CODE}]
'''
DOOR = '''\
http:
  listen: 127.0.0.1:{port}
  spool: {dir}/shim.spool
'''
HTTP = DOOR + TOKENS

AGENT_NAME = 'nfc-phpipam-scan-agent/0.4.0'


# --- HTTP -------------------------------------------------------------------

class Answer:
    """Taken apart strictly: this is what a client gets to see."""

    def __init__(self, data):
        self.data = data
        self.interim = []
        while True:
            head, gap, body = data.partition(b'\r\n\r\n')
            assert gap, f'no whole answer: {data[:300]!r}'
            lines = head.decode('latin-1').split('\r\n')
            version, status, *_ = lines[0].split(' ', 2)
            assert version in ('HTTP/1.1', 'HTTP/1.0'), lines[0]
            self.status = int(status)
            if self.status != 100:
                break
            self.interim.append(self.status)
            data = body
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(':')
            self.headers[name.lower()] = value.strip()
        self.body = body.decode()
        self.raw_body = body

    def json(self):
        equal(self.headers['content-type'], 'application/json')
        return json.loads(self.body)

    def __repr__(self):
        return f'{self.status} {self.body!r}'


def request(body=b'', token=TOKEN, method='POST', path='/', version='1.1',
            more=(), length=True, kind='application/json'):
    """The scanner's request.  'token' None: no Authorization; 'more' are
    header lines; 'length' False: no Content-Length."""
    if isinstance(body, str):
        body = body.encode()
    lines = [f'{method} {path} HTTP/{version}', 'Host: 127.0.0.1:5000',
             f'User-Agent: {AGENT_NAME}']
    if token is not None:
        lines.append(f'Authorization: Bearer {token}')
    if kind:
        lines.append(f'Content-Type: {kind}')
    lines += ['Connection: close', *more]
    if length:
        lines.append(f'Content-Length: {len(body)}')
    return '\r\n'.join(lines).encode() + b'\r\n\r\n' + body


def chunked(body, size=1000, extension=b'', trailer=b''):
    if isinstance(body, str):
        body = body.encode()
    chunks = [body[at:at + size] for at in range(0, len(body), size)]
    return b''.join(b'%x%s\r\n%s\r\n' % (len(one), extension, one)
                    for one in chunks) + b'0\r\n' + trailer + b'\r\n'


def read_all(sock):
    """All until the end, or until the connection breaks."""
    data = b''
    try:
        while piece := sock.recv(65536):
            data += piece
    except ConnectionError:
        pass
    return data


def exchange(port, data, address='127.0.0.1', patience=PATIENCE):
    """Send bytes over a connection of their own; all that comes back."""
    with socket.create_connection((address, port), patience) as sock:
        sock.sendall(data)
        return read_all(sock)


# --- the scanner's report ---------------------------------------------------

def east_of(tz):
    """Seconds east of UTC of a strftime %z."""
    if tz in ('', 'Z'):
        return 0
    seconds = int(tz[1:3]) * 3600 + int(tz[3:5]) * 60
    return -seconds if tz[0] == '-' else seconds


def entry(address, seen=None, tz='+0000', subnet=SUBNET, **more):
    """A host as the scanner sends it, by a wall clock with the offset 'tz';
    'seen' is epoch ms or already a text."""
    seen = now_ms() if seen is None else seen
    if not isinstance(seen, str):
        seen = wall(seen + east_of(tz) * 1000)
    ident = {} if subnet is None else {'subnetId': str(subnet)}
    return {**ident, 'ip': address, 'lastSeen': seen, **more}


def report(*results, subnet=CIDR, tz='+0000', code=CODE):
    return json.dumps({'code': code, 'scan': {
        'subnet': subnet, 'results': list(results), 'tz': tz}})


def epoch_ms(text, tz='+0000'):
    """A wall clock's time with the offset 'tz' as epoch ms."""
    return (calendar.timegm(time.strptime(text, '%Y-%m-%d %H:%M:%S'))
            - east_of(tz)) * 1000


# --- the stage --------------------------------------------------------------

class Door(Stage):
    """AGENT and OTHER_AGENT have no keys and report over HTTP; site-a and
    site-b of the plain stage have keys."""

    http = HTTP

    def __init__(self):
        super().__init__()
        self.hub_config = {**self.hub_config, 'http': self.http}

    def reset(self):
        super().reset()
        self.agent(AGENT, 'old-site', CODE)
        self.agent(OTHER_AGENT, 'other-old-site', OTHER)
        self.subnet(SUBNET, CIDR, scanAgent=AGENT)
        if self.hub.alive() and self.hub.config['http'] != self.http:
            self.hub.restart(http=self.http)

    @property
    def port(self):
        return self.hub.http_port

    def send(self, data, port=None):
        return Answer(exchange(port or self.port, data))

    def post(self, *results, token=TOKEN, json=False, port=None, **fields):
        """What a report of these hosts is answered with."""
        more = ['Accept: application/json'] if json else []
        return self.send(request(report(*results, **fields), token=token,
                                 more=more), port)

    def took(self, *results, **fields):
        """The report must be applied; the counts."""
        answer = self.post(*results, json=True, **fields)
        counts = answer.json()
        equal((answer.status, counts['result']), (200, 'applied'), answer.body)
        return counts

    def turned_away(self, cause, *results, touches=AGENT, **fields):
        """A report is refused with a cause, logged, and nothing is written
        but last_access of the agent 'touches', or not even that."""
        before = self.tables()
        answer = self.post(*results, **fields)
        equal(answer.status, 200, answer.body)
        assert answer.body.startswith(f'refused: {cause}: '), answer.body
        # Or an earlier line: repeats are held back.
        until(lambda: [line for line in self.hub.log_from().splitlines()
                       if 'refused' in line and f'cause={cause}' in line],
              'a line in the log')
        if touches:
            until(lambda: self.last_access(touches), 'last_access is written')
        others = ('SELECT id FROM scanAgents WHERE last_access IS NOT NULL '
                  f'AND id <> {touches or 0}')
        equal(self.sql.rows(others), [], 'last_access')
        equal(self.tables(), before, 'tables')
        return answer

    def alive_and_well(self):
        """The hub goes on: a report still becomes a row."""
        assert self.hub.alive(), 'the hub has ended'
        address = '10.0.7.250'
        self.sql.rows('DELETE FROM ipaddresses WHERE subnetId = '
                      f"{SUBNET} AND ip_addr = '{decimal(address)}'")
        equal(self.took(entry(address))['hosts_refused'], 0)
        assert self.columns('id', address, SUBNET), 'no row'

    def seen(self, address, subnet=SUBNET):
        return self.column('lastSeen', address, subnet)


def tool(*words, **more):
    """A program that must succeed; what it printed."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, check=False,
                          capture_output=True, text=True, timeout=PATIENCE,
                          **more)
    assert done.returncode == 0, f'{words}: {done.returncode} {done.stderr}'
    return done.stdout

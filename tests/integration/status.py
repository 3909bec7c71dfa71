#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""scanhubctl status: is it working, and if not, why?  Asked of a real hub."""

import fcntl
import http.client
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

from harness import (CODE_A, SCANHUBCTL, Stage, case, equal, host, main,
                     until, wall)
from peer import Peer, now_ms

WIDTH = 80
ESCAPE = '\x1b'


class StatusStage(Stage):

    def text(self, *words, wanted=0, **env):
        """What people see, within 80 columns and without any colour."""
        done = subprocess.run(self.command(*words), text=True, check=False,
                              capture_output=True, timeout=30,
                              env={**os.environ, **env})
        equal(done.returncode, wanted, done.stdout + done.stderr)
        assert ESCAPE not in done.stdout, done.stdout
        wide = [line for line in done.stdout.splitlines()
                if len(line) > WIDTH]
        equal(wide, [], 'lines that are too wide')
        return done.stdout

    def command(self, *words):
        return [str(SCANHUBCTL), '--config', str(self.hub.path), 'status',
                *words]

    def scanner(self, name='site-a', **wanted):
        """Its entry, as soon as it has these values."""
        def look():
            one = next(one for one in self.hub.status()['scanners']
                       if one['name'] == name)
            return wanted.items() <= one.items() and one
        return until(look, f'{name}: {wanted}', 10)

    def subnet_of(self, ident=10):
        return next(one for one in self.hub.status()['subnets']
                    if one['subnet'] == ident)

    def problems(self, what):
        return [one for one in self.hub.status()['problems']
                if one['what'] == what]

    def scanned(self):
        """A whole scan, so that all is well; the hub has read the subnets."""
        self.hub.reload()
        until(lambda: any(one['subnet'] == 10 for one in
                          self.hub.status()['subnets']), 'the subnet')
        self.applied(host('10.0.0.5'))
        self.closing()


def on_terminal(s, *words, wait='', interrupt=False, rows=0, **env):
    """What a terminal gets; after 'wait' was seen, Ctrl-C if wanted.  And the
    exit status."""
    pid, fd = pty.fork()
    if pid == 0:
        try:
            fcntl.ioctl(0, termios.TIOCSWINSZ,
                        struct.pack('4H', rows, rows and WIDTH, 0, 0))
            os.environ.update({'TERM': 'xterm', **env})
            os.execv(s.command()[0], s.command(*words))
        finally:
            os._exit(127)
    seen, sent = b'', not interrupt
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if select.select([fd], [], [], 0.2)[0]:
            try:
                data = os.read(fd, 65536)
            except OSError:
                break
            if not data:
                break
            seen += data
        if not sent and seen.count(wait.encode()) >= 2:
            os.write(fd, b'\x03')
            sent = True
    else:
        os.kill(pid, signal.SIGKILL)
    os.close(fd)
    return seen.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@case('all is well: one line says so, and 0')
def _(s):
    s.scanned()
    text = s.text()
    assert re.match(r'OK: 1 of 2 scanners connected, 1 subnet to scan\n',
                    text), text
    assert re.search(r'^site-a +connected +\d s +\d s +\S+ s +- +1 +127\.0\.0'
                     r'\.1$', text, re.M), text
    assert re.search(r'^ +10 +10\.0\.0\.0/24 +scanned .*applied +in 5 min +'
                     r'site-a$', text, re.M), text
    document = s.hub.status()
    assert document['works'] and document['database']['usable'], document
    equal(document['hub']['listen'], [s.hub.endpoint])
    equal(document['registry']['keys'], 2)
    one = s.subnet_of()
    equal((one['state'], one['last_result'], one['scanner']),
          ('scanned', 'applied', 'site-a'))
    assert one['due'] - one['last_check'] == 300000, one


@case('what a beat tells: spool, scans, clock')
def _(s):
    s.scanned()
    s.peer().send({'v': 1, 't': 'beat', 'now': now_ms() + 90000, 'spool': 4,
                   'running': 2})
    one = s.scanner(spool=4, running=2)
    assert -91000 <= one['skew_ms'] <= -89000, one
    equal((one['state'], one['grade']), ('skewed', 'warning'))
    text = s.text()
    assert re.search(r'^site-a +skewed .* \+90\.0 s +4 ', text, re.M), text
    assert 'its clock is 90 s fast' in text, text
    s.peer().send({'v': 1, 't': 'beat', 'now': now_ms(), 'spool': 4,
                   'running': 0})
    s.scanner(state='backlog')
    assert '4 reports wait at the site' in s.text()
    s.peer().send({'v': 1, 't': 'beat', 'now': now_ms(), 'spool': 0,
                   'running': 0})
    s.scanner(state='connected')


@case('what a scanner says of itself does not break the table')
def _(s):
    s.extra.append(s.hub.peer('site-b', version='v' * 255).socket)
    one = s.hub.peer('site-a', version='x \x1b[31m\n' + 'é' * 60)
    s.extra.append(one.socket)
    one.send({'v': 1, 't': 'beat', 'now': 0, 'spool': 2 ** 40, 'running': 1})
    s.scanner(spool=2 ** 40)
    text = s.text()
    assert max(map(len, text.splitlines())) <= WIDTH, text
    assert '\x1b' not in text, text


@case('who leaves is away, who is revoked is gone')
def _(s):
    s.scanned()
    s.hub.scanner('passing', CODE_A)
    s.hub.reload()
    peer = s.hub.peer('passing')
    s.scanner('passing', connected=True)
    peer.socket.close()
    s.hub.revoke('passing')
    s.hub.reload()
    names = [one['name'] for one in s.hub.status()['scanners']]
    equal(names, ['site-a', 'site-b'])


@case('a refused report: the cause, since when, and 1')
def _(s):
    s.scanned()
    before = now_ms()
    s.update('subnets', 10, isFolder=1)
    s.refused('subnet-folder')
    document = s.hub.status()
    assert not document['works'], document
    one = next(one for one in document['refusals']
               if one['cause'] == 'subnet-folder')
    assert before <= one['first'] <= one['last'] <= now_ms(), one
    assert one['for_good'] and one['count'] == 1, one
    entry = s.scanner(state='refused')
    equal((entry['cause'], entry['last_result']),
          ('subnet-folder', 'refused'))
    text = s.text(wanted=1)
    assert text.startswith('NOT WORKING: '), text
    assert 'error: 1 report part refused (subnet-folder)' in text, text
    assert re.search(r'^subnet-folder +1 +20\d\d-', text, re.M), text


@case('what goes wrong is told in lines that fit, and in one for programs')
def _(s):
    s.hub.stop()
    text, status = on_terminal(s)
    equal(status, 69, text)
    lines = text.splitlines()
    assert len(lines) > 1 and max(map(len, lines)) <= WIDTH, text
    done = subprocess.run(s.command(), text=True, check=False,
                          capture_output=True, timeout=30)
    equal(done.stderr.count('\n'), 1, done.stderr)
    equal(done.stderr.split(), text.split())
    s.hub.start()
    done = subprocess.run(s.command('what'), text=True,
                          check=False, capture_output=True, timeout=30)
    assert "'what' is one word too many" in done.stderr, done.stderr


@case('a file of the registry that lets nobody in is a warning')
def _(s):
    bad = s.hub.registry / 'bad.cert'
    bad.write_text('nothing')
    one = until(lambda: s.problems('registry'), 'the hub has seen it')[0]
    equal(one['grade'], 'warning')
    assert one['text'].startswith('1 file of the registry lets nobody in')
    bad.unlink()
    until(lambda: not s.problems('registry'), 'it is gone')
    mine = s.hub.registry / 'site-b.cert'
    twin = s.hub.registry / 'twin.cert'
    twin.write_bytes(mine.read_bytes())
    until(lambda: s.problems('registry'), 'both have one key')
    assert '2 files' in s.problems('registry')[0]['text']
    twin.unlink()
    until(lambda: not s.problems('registry'), 'one has it')


@case('a scanner whose code no agent has is a warning')
def _(s):
    assert not s.problems('codes')
    s.update('scanAgents', 2, code='another-code-than-it-had-before-')
    s.hub.reload()
    try:
        one = until(lambda: s.problems('codes'), 'the hub has read it')[0]
        equal(one['grade'], 'warning')
        assert one['text'].startswith("1 scanner, 'site-a', has a code"), one
    finally:
        s.update('scanAgents', 2, code=CODE_A)
    s.hub.reload()
    until(lambda: not s.problems('codes'), 'and again')


@case('a report put off is a warning')
def _(s):
    s.hub.restart()
    s.scanned()
    s.sql.rows('UPDATE settings SET maintaneanceMode = 1')
    try:
        message = s.report().part([host('10.0.0.6')])
        s.peer().send(message)
        verdict = s.peer().wait('verdict', id=message['id'])
        equal(verdict['cause'], 'maintenance')
        document = s.hub.status()
        one = next(one for one in document['refusals']
                   if one['cause'] == 'maintenance')
        equal(one['for_good'], False)
        equal(s.scanner()['grade'], 'warning')
    finally:
        s.sql.rows('UPDATE settings SET maintaneanceMode = 0')


@case('silent agents, and when their addresses go')
def _(s):
    s.scanned()
    seen = now_ms() - 2 * 86400000
    s.subnet(11, '10.0.1.0/24', scanAgent=3)
    s.update('scanAgents', 3, last_access=wall(seen))
    s.hub.reload()
    one = until(lambda: s.hub.status()['agents_silent'], 'silence')[0]
    equal((one['agent'], one['name'], one['subnets']), (3, 'site-b', 1))
    equal(one['last_access'], seen // 1000 * 1000)
    equal(one['deleted_by'], seen // 1000 * 1000 + 7 * 86400000)
    text = s.text(wanted=1, TZ='UTC0')
    assert 'silent for over a day: 1 scan agent;' in text, text
    when = time.strftime('%Y-%m-%d %H:%M',
                         time.gmtime(one['deleted_by'] // 1000))
    assert f'deleted by {when}' in ' '.join(text.split()), text
    # One that was never there is a warning; without host checks nothing goes.
    s.update('scanAgents', 3, last_access=None)
    s.hub.reload()
    until(lambda: s.problems('agents')[0]['grade'] == 'warning', 'a warning')
    assert 'agent site-b was never heard of, 1 subnet' in s.text(), s.text()
    s.update('scanAgents', 3, last_access=wall(seen))
    s.update('subnets', 11, pingSubnet=0)
    s.hub.reload()
    until(lambda: s.hub.status()['agents_silent'][0]['deleted_by'] is None,
          'no date')
    s.update('scanAgents', 3, last_access=wall(now_ms()))
    s.hub.reload()
    until(lambda: not s.problems('agents'), 'it is there again')
    s.text()


def take_turns(s, *addresses):
    """Connections of one key, each while the one before still stands."""
    peers = []
    for address in addresses:
        peers.append(Peer(f'tcp://{address}:0;127.0.0.1:{s.hub.port}',
                          s.hub.public, *s.hub.keys['site-b']))
    for peer in peers:
        peer.socket.close()


@case('one key on two machines is told, one that reconnects is not')
def _(s):
    s.scanned()
    mark = s.hub.log_mark()
    take_turns(s, '127.0.0.1', '127.0.0.1', '127.0.0.1', '127.0.0.1')
    take_turns(s, '127.0.0.2', '127.0.0.3')
    time.sleep(0.2)
    assert 'two machines' not in s.hub.log_from(mark)
    equal(s.scanner('site-b')['clones'], None)
    take_turns(s, '127.0.0.4', '127.0.0.5', '127.0.0.4', '127.0.0.5')
    until(lambda: 'two machines use one key' in s.hub.log_from(mark), 'told')
    line = next(line for line in s.hub.log_from(mark).splitlines()
                if 'two machines' in line)
    assert '127.0.0.4' in line and '127.0.0.5' in line, line
    assert 'scanner revoke' in line and 'site-b' in line, line
    one = s.scanner('site-b', state='clone', grade='error')
    equal({one['clones']['one'].removeprefix('::ffff:'),
           one['clones']['other'].removeprefix('::ffff:')},
          {'127.0.0.4', '127.0.0.5'})
    assert 'its key is used on two machines' in s.text(wanted=1)
    equal(s.hub.counter('clones_told'), 1)
    s.hub.restart()  # which forgets


@case('many subnets: the worst first, the rest counted; all of them on request')
def _(s):
    s.scanned()
    for ident in range(100, 700):
        s.subnet(ident, f'10.{ident // 256}.{ident % 256}.0/24')
    s.update('subnets', 650, isFolder=1)
    s.hub.reload()
    until(lambda: len(s.hub.status()['subnets']) == 601, 'all of them')
    text = s.text()
    assert '... and 581 more (--all)' in text, text
    text = s.text('--all')
    assert '  subnet 650: ' in text and 'folder' in text, text
    equal(len(re.findall(r'^ *\d+  10\.\S+ +(?:waiting|scanned|not scanned) ', text,
                         re.M)), 601)
    listed = re.findall(r'^ *(\d+)  10\.', text, re.M)
    equal(listed[-1], '650')  # not scanned, which is no fault of anybody's


@case('what is not the sender\'s leaves no trace with the subnet')
def _(s):
    s.scanned()
    s.subnet(12, '10.0.2.0/24', scanAgent=3)
    s.hub.reload()
    until(lambda: any(one['subnet'] == 12 for one in
                      s.hub.status()['subnets']), 'the subnet')
    s.refused('subnet-not-assigned', host('10.0.2.9'), subnet=12,
              cidr='10.0.2.0/24')
    s.refused('subnet-unknown', host('10.0.3.9'), subnet=99999,
              cidr='10.0.3.0/24')
    equal(s.subnet_of(12)['last_report'], None)
    equal([one['subnet'] for one in s.hub.status()['subnets']], [10, 12])
    equal(s.scanner()['cause'], 'subnet-unknown')
    s.hub.restart()  # which forgets


CODE_C = 'AgentC0000000000000000000000000C'
DOOR = '''http:
  listen: 127.0.0.1:{port}
  spool: {dir}/shim.spool
  tokens:
    - label: old-site
      token: open-sesame-and-more-of-it
'''


def post(hub, code, network, **one):
    """A report as the older agent sends it; status and body."""
    seen = time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())
    body = json.dumps({'code': code, 'scan': {
        'subnet': network, 'results': [{'lastSeen': seen, **one}]},
        'tz': '+0000'})
    link = http.client.HTTPConnection('127.0.0.1', hub.http_port, timeout=20)
    try:
        link.request('POST', '/', body, {
            'Authorization': 'Bearer open-sesame-and-more-of-it',
            'Content-Type': 'application/json'})
        answer = link.getresponse()
        return answer.status, answer.read().decode()
    finally:
        link.close()


@case('who comes by HTTP is there by label and code, if phpIPAM knows the code')
def _(s):
    s.agent(9, 'old', CODE_C)
    s.subnet(20, '10.0.4.0/24', scanAgent=9)
    hub = s.new_hub('door', http=DOOR)
    s.extra.append(hub)
    hub.start()
    until(lambda: any(one['subnet'] == 20 for one in hub.status()['subnets']),
          'the subnet')
    equal(post(hub, CODE_C, '10.0.4.0/24', ip='10.0.4.7', subnetId=20),
          (200, ''))
    status, said = post(hub, 'x' * 32, '10.0.4.0/24', ip='10.0.4.7',
                        subnetId=20)
    assert status == 200 and 'agent-unknown' in said, said
    document = hub.status()
    found = [one for one in document['scanners'] if one['door'] == 'http']
    equal([(one['name'], one['code'], one['state'], one['key'])
           for one in found], [('old-site', CODE_C, 'http', None)])
    equal(found[0]['results']['applied'], 2)
    equal(document['scanner_sums']['http'], 1)
    equal(document['parts']['http']['refused'], 1)
    assert any(one['what'] == 'refusals' and 'agent-unknown' in one['text']
               for one in document['problems']), document['problems']


@case('a pause is shown')
def _(s):
    s.scanned()
    s.hub.ctl('pause', '10', '--until', '2h')
    try:
        text = s.text()
        assert re.search(r'^paused: subnet 10, 10\.0\.0\.0/24, until 20', text,
                         re.M), text
        equal(s.subnet_of()['state'], 'paused')
        equal(s.hub.status()['pauses']['count'], 1)
    finally:
        s.hub.ctl('resume', '10')


@case('colour is for terminals, and not with NO_COLOR')
def _(s):
    s.scanned()
    seen, status = on_terminal(s)
    equal(status, 0, seen)
    assert '\x1b[32m' in seen, seen
    seen, status = on_terminal(s, NO_COLOR='1')
    equal(status, 0, seen)
    assert ESCAPE not in seen, seen


@case('--watch paints in place and leaves the terminal in order')
def _(s):
    s.scanned()
    seen, status = on_terminal(s, '--watch', '1', wait='\x1b[H',
                               interrupt=True)
    equal(status, 0, seen)
    assert seen.startswith('\x1b[?1049h\x1b[?25l'), seen
    assert seen.rstrip().endswith('\x1b[?25h\x1b[?1049l'), seen[-80:]
    assert seen.count('OK: ') >= 2, seen


@case('--watch keeps its first line on a screen that is too low')
def _(s):
    s.scanned()
    for rows in 2, 3, 10, 60:
        seen, status = on_terminal(s, '--watch', '1', wait='\x1b[H', rows=rows,
                                   interrupt=True)
        equal(status, 0, seen)
        shown = seen.split('\x1b[H\x1b[J')[1].splitlines()
        assert 'OK: ' in shown[0] and len(shown) <= rows, shown
        equal('too low' in shown[-1], 2 < rows < 60, shown)


@case('--watch into a file appends')
def _(s):
    s.scanned()
    process = subprocess.Popen(s.command('--watch=1'), text=True,
                               stdout=subprocess.PIPE)
    lines = []
    while sum(line.startswith('OK: ') for line in lines) < 2:
        lines.append(process.stdout.readline())
        assert lines[-1], lines
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=10)
    assert ESCAPE not in ''.join(lines) + rest
    equal(process.returncode, 0)


@case('a wrong call')
def _(s):
    for words in (['now'], ['--watch', '0'], ['--watch=x'], ['--watch', '1', '2'],
                  ['--watch', '99999']):
        done = subprocess.run(s.command(*words), capture_output=True,
                              check=False, timeout=10)
        equal(done.returncode, 64, words)


if __name__ == '__main__':
    sys.exit(main(StatusStage))

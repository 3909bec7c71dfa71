#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""A scanner written from docs/protocol.md alone: a program that reports which
addresses of a subnet are up, and a module for the integration tests."""
import argparse, ipaddress, os, re, sys, time, msgpack, zmq

class HubError(Exception):
    """The hub answered with an 'error'; its cause is the text."""

def now_ms():
    return time.time_ns() // 1000000

def keys_of(path):
    """Public and secret key (or None) of a CZMQ certificate file."""
    with open(path, encoding='utf-8') as file:
        keys = dict(re.findall(r'(\w+)-key = "(.{40})"', file.read()))
    return keys['public'], keys.get('secret')

class Report:
    """One scan of one subnet, as the messages that tell of it."""
    def __init__(self, subnet, cidr, kind='both', started=None, off=0, **more):
        self.head = {'v': 1, 't': 'report', 'id': os.urandom(16), 'part': 0,
                     'subnet': subnet, 'cidr': cidr, 'kind': kind, 'off': off,
                     'started': started or now_ms(), 'finished': now_ms(), **more}

    def part(self, hosts, part=0):
        return {**self.head, 'part': part, 'hosts': hosts}

    def closing(self, covered=(), part=1, complete=True, up=1, **more):
        ranges = [{'first': ipaddress.ip_address(first).packed,
                   'last': ipaddress.ip_address(last).packed} for first, last in covered]
        return {**self.head, 'part': part, 'last': True, 'parts': part, 'up': up,
                'complete': complete, 'covered': ranges, **more}

class Peer:
    """One session: hello was said, 'welcome' and 'off' are known."""
    def __init__(self, endpoint, hub_key, public, secret, patience=10, **hello):
        self.patience, self.socket = patience, zmq.Context.instance().socket(zmq.DEALER)
        self.socket.curve_serverkey = hub_key.encode()
        self.socket.curve_publickey, self.socket.curve_secretkey = public.encode(), secret.encode()
        self.socket.reconnect_ivl, self.socket.immediate, self.socket.linger = -1, 1, 0
        self.socket.ipv6, self.socket.sndtimeo = 1, int(patience * 1000)
        self.socket.connect(endpoint)
        self.send({'v': 1, 't': 'hello', 'now': now_ms(), 'version': 'peer.py 1', **hello})
        self.welcome = self.wait('welcome')
        self.off = self.welcome['now'] - (self.welcome['hello_now'] + now_ms()) // 2

    def send(self, message):
        self.socket.send(msgpack.packb(message))

    def wait(self, kind, **match):
        """The next message of a kind; revisions and beats are passed over."""
        deadline = time.monotonic() + self.patience
        while self.socket.poll(max(0, int((deadline - time.monotonic()) * 1000))):
            message = msgpack.unpackb(self.socket.recv())
            if message['t'] == 'error' and kind != 'error':
                raise HubError(message['cause'])
            if message['t'] == kind and match.items() <= message.items():
                return message
        raise TimeoutError(f'no {kind} within {self.patience} s')

    def pages(self, kind, rows, key, **fields):
        """All rows of an answer that comes in pages."""
        found, revision = [], None
        while True:
            after = {'after': found[-1][key]} if found else {}
            self.send({'v': 1, 't': kind, **fields, **after})
            page = self.wait(kind + '-page')
            again = found and page.get('rev') != revision
            found, revision = [] if again else found + page[rows], page.get('rev')
            if not again and not page['more']:
                return found

    def assignments(self, **fields):
        return self.pages('assignments', 'subnets', 'id', **fields)

    def targets(self, subnet, **fields):
        return self.pages('targets', 'targets', 'ip', subnet=subnet, **fields)

    def deliver(self, *messages):
        """Parts' verdicts; at most 16 are on their way, 'retry' is obeyed."""
        queue, sent, verdicts = list(messages), {}, {}
        while queue or sent:
            while queue and len(sent) < 16:
                message = queue.pop(0)
                sent[message['part']] = message
                self.send(message)
            verdict = self.wait('verdict', id=messages[0]['id'])
            message = sent.pop(verdict['part'], None)
            if verdict['result'] in ('applied', 'noted', 'refused'):
                verdicts[verdict['part']] = verdict
            elif message:
                time.sleep(min(verdict.get('delay', 1000), 60000) / 1000)
                queue.append(message)
        return [verdicts[message['part']] for message in messages]

def main():
    options = argparse.ArgumentParser(description=__doc__)
    for name in ('--endpoint', '--hub-key', '--cert', '--subnet', '--up'):
        options.add_argument(name, required=True)
    args = options.parse_args()
    hub_key = keys_of(args.hub_key)[0] if os.path.exists(args.hub_key) else args.hub_key
    peer = Peer(args.endpoint, hub_key, *keys_of(args.cert))
    mine = {str(row['id']): row['cidr'] for row in peer.assignments()}
    if args.subnet not in mine:
        return f'subnet {args.subnet} is not assigned to this scanner'
    report = Report(int(args.subnet), mine[args.subnet], off=peer.off)
    up = [ipaddress.ip_address(text).packed for text in args.up.split(',')]
    hosts = [{'ip': ip, 'seen': now_ms()} for ip in up]
    parts = [report.part(hosts[at:at + 4096], at // 4096) for at in range(0, len(hosts), 4096)]
    known = [(row['ip'],) * 2 for row in peer.targets(int(args.subnet)) if not row['exclude']]
    verdicts = peer.deliver(*parts)
    if all(verdict['result'] != 'refused' for verdict in verdicts):
        verdicts += peer.deliver(report.closing(known[:4096], len(parts), up=len(hosts)))
    print(*verdicts, sep='\n')
    return any(verdict['result'] == 'refused' for verdict in verdicts)

if __name__ == '__main__':
    sys.exit(main())

#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""What docs/operations.md tells an administrator to do, done."""

import json
import shutil
import stat
import subprocess
import sys

sys.dont_write_bytecode = True

import harness
from harness import CODE_A, SOURCE, Stage, ago, case, equal, host, until, wall

GRANTS = SOURCE / 'packaging' / 'grants.sql'


class Operations(Stage):
    def rights(self):
        """What the hub's account may do, column by column."""
        return self.sql.rows(
            'SELECT table_name, column_name, privilege_type FROM '
            'information_schema.column_privileges '
            f"WHERE grantee LIKE '''{self.database.env['DB_USER']}''@%' "
            'ORDER BY 1, 2, 3')

    def run_grants(self, place):
        """packaging/grants.sql with values for its placeholders."""
        env = self.database.env
        statements = '\n'.join(
            line for line in GRANTS.read_text(encoding='utf-8').splitlines()
            if not line.startswith('--'))
        for word, value in (('scanhub', env['DB_USER']), ('HUB', place),
                            ('PASSWORD', env['DB_PASSWORD']),
                            ('phpipam.', env['DB_NAME'] + '.')):
            assert word in statements, word
            statements = statements.replace(word, value)
        subprocess.run(
            ['mariadb', '--no-defaults', '--user=root',
             '--socket=' + env['DB_SOCKET']], input=statements, text=True,
            check=True, timeout=harness.PATIENCE)

    def scan_is_written(self):
        """A whole scan by site-a: found, new, named, silent."""
        self.reset()
        self.sql.rows('UPDATE settings SET updateTags = 1')
        self.seen_row('10.0.0.5', ago(900), state=1)
        self.seen_row('10.0.0.6', ago(900), state=2)
        started = ago(60)
        verdict = self.applied(
            host('10.0.0.5', started, name='a.example',
                 mac='02:00:00:00:00:05'), host('10.0.0.7', started),
            started=started)
        equal((verdict['seen'], verdict['added'], verdict['named']), (1, 1, 1))
        self.closing([('10.0.0.1', '10.0.0.254')], started=started)
        equal(self.columns('hostname, mac, state', '10.0.0.5'),
              ('a.example', '02:00:00:00:00:05', '2'))
        equal((self.column('state', '10.0.0.6'), self.times(), self.count()),
              ('1', (wall(started),) * 2, 3))
        until(self.last_access, 'last_access')


@case('rights: packaging/grants.sql is enough, and not more than is needed')
def _(s):
    s.hub.stop()
    before = s.rights()
    user = s.database.env['DB_USER']
    for place in ('localhost', '127.0.0.1'):
        s.sql.rows(f'DROP USER {user}@{place}')
    equal(s.rights(), [])
    s.run_grants('localhost')
    s.run_grants('127.0.0.1')
    equal(s.rights(), before)
    s.hub.start()
    s.scan_is_written()
    found = json.loads(s.hub.ctl('doctor', '--json', check=False).stdout)
    equal([(one['title'], one['result']) for one in found['findings']
           if one['title'].endswith('rights')],
          [('rights', 'good'), ('extra rights', 'good')])


KEPT = ('hub.cert', 'scanners', 'hub.yaml', 'password', 'pauses', 'retired')


@case('backup: the files that the manual names bring the hub back')
def _(s):
    s.scan_is_written()
    s.subnet(11, '10.1.0.0/24')
    until(lambda: not s.hub.ctl('pause', '11', check=False).returncode,
          'the pause')
    s.hub.stop()
    here, archive = s.hub.directory, s.directory / 'keys.tar'
    subprocess.run(['tar', '-C', here, '-cpf', archive,
                    '--ignore-failed-read', *KEPT], check=True,
                   stderr=subprocess.DEVNULL)
    archive.chmod(0o600)
    for left in here.iterdir():
        if left != s.hub.log_path:
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    subprocess.run(['tar', '-C', here, '-xpf', archive], check=True)
    for name in ('hub.cert', 'password'):
        equal(stat.S_IMODE((here / name).stat().st_mode), 0o600, name)
    checked = subprocess.run([*s.hub.command(), '-t'], text=True, check=True,
                             capture_output=True, timeout=harness.PATIENCE)
    assert s.hub.public in checked.stdout, checked.stdout
    s.hub.start()
    equal([one.get('paused') for one in s.peer().assignments()
           if one['id'] == 11], [True])
    s.scan_is_written()


@case('backup: a key file that was restored too open is refused, by name')
def _(s):
    s.hub.stop()
    key = s.hub.directory / 'hub.cert'
    key.chmod(0o644)
    checked = subprocess.run([*s.hub.command(), '-t'], text=True, check=False,
                             capture_output=True, timeout=harness.PATIENCE)
    equal(checked.returncode, 78)
    assert 'chmod' in checked.stderr and 'hub.cert' in checked.stderr, (
        checked.stderr)
    key.chmod(0o600)
    s.hub.start()
    s.applied(host('10.0.0.5'))


def digest(hub):
    return hub.ctl('scanner', 'list').stdout.splitlines()[-1]


@case('two hubs: a copy of the registry lets the same scanners in')
def _(s):
    other = s.new_hub('other')
    shutil.rmtree(other.registry)
    shutil.copytree(s.hub.registry, other.registry)
    other.keys = s.hub.keys
    s.extra.append(other)
    other.start()
    peer = other.peer()
    message = s.report().part([host('10.0.0.9')])
    equal(peer.deliver(message)[0]['result'], 'applied')
    peer.socket.close()
    equal(s.count(), 1)
    equal(digest(other), digest(s.hub))
    (other.registry / 'site-a.cert').unlink()
    other.reload()
    listed = other.ctl('scanner', 'list').stdout
    assert CODE_A not in listed and 'site-b' in listed, listed
    assert digest(other) != digest(s.hub), 'the digests are the same'


if __name__ == '__main__':
    sys.exit(harness.main(Operations))

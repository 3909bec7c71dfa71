# SPDX-License-Identifier: MPL-2.0
"""A stage on which the database gets into trouble, for database.py and
delivery.py."""

import subprocess
import time

import harness
from harness import Stage, SqlError, equal, host, until

SOON = 20  # seconds in which the hub has to be ready again


class Trouble(Stage):
    @property
    def user(self):
        return self.database.env['DB_USER']

    def drop_connections(self):
        """KILL every connection that the hub has; how many there were."""
        ids = self.sql.rows('SELECT id FROM information_schema.processlist '
                            f"WHERE user = '{self.user}'")
        for (ident,) in ids:
            try:
                self.sql.rows(f'KILL {ident}')
            except SqlError as error:  # it went by itself
                assert '1094' in str(error), error
        return len(ids)

    def put_off(self, cause, delay, message=None, hub=None):
        """A report is told to come back; the same message, to send again."""
        message = message or self.report().part([host('10.0.0.5')])
        peer = self.peer() if hub is None else self.peer_of(hub)
        peer.send(message)
        verdict = peer.wait('verdict', id=message['id'], part=message['part'])
        equal((verdict['result'], verdict.get('cause'), verdict['delay']),
              ('retry', cause, delay), f'verdict {verdict}')
        return message

    def again(self, message, hub=None):
        """The same part once more, until it is applied; sooner than a scanner
        may, for the sake of the time that this takes.  The verdict."""
        peer = self.peer() if hub is None else self.peer_of(hub)
        verdict = None

        def applied():
            nonlocal verdict
            peer.send(message)
            verdict = peer.wait('verdict', id=message['id'],
                                part=message['part'])
            if verdict['result'] == 'retry':
                time.sleep(0.3)
            return verdict['result'] == 'applied'
        until(applied, f'applied, not {verdict}', SOON)
        return verdict

    def grant(self):
        subprocess.run([harness.PRIVATE_DB, 'grants', self.database.directory,
                        self.user], check=True, timeout=harness.PATIENCE)

    def peer_of(self, hub):
        key = hub, hub.process.pid
        if key not in self.peers:
            self.peers[key] = hub.peer('site-a')
        return self.peers[key]

    def not_ready(self, *words, hub=None):
        """Wait until readiness says no, in these words."""
        said, hub = '', hub or self.hub
        hub.reload()  # makes the watcher look, too

        def says():
            nonlocal said
            done = hub.ctl('ping', check=False)
            said = done.stderr
            return done.returncode and all(word in said for word in words)
        try:
            until(says, f'not ready, because of {words}', SOON)
        except AssertionError as error:
            raise AssertionError(f'{error}; it says: {said}') from None

    def ready(self, hub=None, by_itself=False):
        """Wait until it is ready; usually with a little help, for the sake of
        the time that this takes."""
        hub = hub or self.hub

        def says():
            if not by_itself:
                hub.reload()
            return hub.ctl('ping', '--wait', '1', check=False).returncode == 0
        until(says, 'ready again', SOON)

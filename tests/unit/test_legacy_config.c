/* SPDX-License-Identifier: MPL-2.0 */
/*  The old scan server's variables file as scanhubd's configuration: every key,
    what is refused, what is only warned about, and what the first start makes.
    Every line that was logged is looked at, for that is all that the owner of
    such a file gets to read.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "hub/config.h"
#include "lib/keyfile.h"

#define TOP "nofusscomputing_phpipam_scan_server:\n"
#define MANDATORY                                                              \
    "  mysql_host: 127.0.0.1\n  mysql_user: u\n  mysql_password: p\n"

static char s_dir[64];
static char s_path[128];
static char s_state[128];
static char s_run[128];
static char s_log[8192]; /* of the last loading */

static int
setup (void **state)
{
    (void) state;
    unsetenv ("CREDENTIALS_DIRECTORY");
    snprintf (s_dir, sizeof s_dir, "/tmp/test_legacy.XXXXXX");
    if (!mkdtemp (s_dir))
        return -1;
    snprintf (s_path, sizeof s_path, "%s/scan_server.yaml", s_dir);
    snprintf (s_state, sizeof s_state, "%s/var/lib/state", s_dir);
    snprintf (s_run, sizeof s_run, "%s/run", s_dir);
    setenv ("STATE_DIRECTORY", s_state, 1);
    setenv ("RUNTIME_DIRECTORY", s_run, 1);
    return 0;
}

static int
teardown (void **state)
{
    (void) state;
    pid_t pid = fork ();
    if (pid == 0) {
        execlp ("rm", "rm", "-rf", "--", s_dir, (char *) NULL);
        _exit (127);
    }
    int status = -1;
    return pid > 0 && waitpid (pid, &status, 0) == pid ? status : -1;
}

static void
write_file (const char *text, mode_t mode)
{
    FILE *to = fopen (s_path, "w");
    assert_non_null (to);
    assert_true (fputs (text, to) >= 0);
    assert_int_equal (fclose (to), 0);
    assert_int_equal (chmod (s_path, mode), 0);
}

/*  Stderr goes to a file from here on.  Returns what restores it.  */
static int
begin_log (FILE **to)
{
    fflush (stderr);
    *to = tmpfile ();
    int before = dup (STDERR_FILENO);
    assert_true (*to && before >= 0);
    assert_true (dup2 (fileno (*to), STDERR_FILENO) >= 0);
    return before;
}

static void
end_log (FILE *to, int before)
{
    fflush (stderr);
    assert_true (dup2 (before, STDERR_FILENO) >= 0);
    close (before);
    rewind (to);
    size_t size = fread (s_log, 1, sizeof s_log - 1, to);
    s_log[size] = '\0';
    fclose (to);
}

typedef sh_err_t (load_fn) (hub_config_t **out, const char *path,
                            sh_why_t *why);

static sh_err_t
try_by (load_fn *fn, hub_config_t **out, const char *text, mode_t mode,
        sh_why_t *why)
{
    FILE *log;
    write_file (text, mode);
    int before = begin_log (&log);
    sh_err_t rc = fn (out, s_path, why);
    end_log (log, before);
    return rc;
}

static hub_config_t *
load_mode (const char *text, mode_t mode)
{
    hub_config_t *config = NULL;
    sh_why_t why = { "" };
    if (try_by (hub_config_load, &config, text, mode, &why) != SH_OK)
        fail_msg ("%s", why.text);
    assert_true (config->legacy);
    assert_true (config->http_on);
    return config;
}

static hub_config_t *
load (const char *text)
{
    return load_mode (text, 0600);
}

static void
refuse (const char *text, const char *says)
{
    hub_config_t *config = NULL;
    sh_why_t why = { "" };
    sh_err_t rc = try_by (hub_config_load, &config, text, 0600, &why);
    if (rc != SH_E_CONFIG)
        fail_msg ("%d, not refused: %s", (int) rc, text);
    assert_null (config);
    assert_memory_equal (why.text, s_path, strlen (s_path));
    assert_int_equal (why.text[strlen (s_path)], ':');
    if (!strstr (why.text, says))
        fail_msg ("'%s' does not say '%s'", why.text, says);
    assert_int_equal (try_by (hub_config_peek, &config, text, 0600, &why),
                      SH_E_CONFIG);
}

static void
logged (const char *says)
{
    if (!strstr (s_log, says))
        fail_msg ("the log does not say '%s':\n%s", says, s_log);
}

static void
not_logged (const char *says)
{
    if (strstr (s_log, says))
        fail_msg ("the log says '%s':\n%s", says, s_log);
}

static void
assert_path (const char *path, const char *directory, const char *file)
{
    char whole[256];
    snprintf (whole, sizeof whole, "%s/%s", directory, file);
    assert_string_equal (path, whole);
}

/*  The old server's own page, its values filled in.  */
static const char s_page[]
    = "nofusscomputing_phpipam_scan_server:\n"
      "\n"
      "  # phpIPAM MariaDB/MySQL Variables\n"
      "  mysql_host: 127.0.0.1        # Mandatory, String. IP/DNS of host to "
      "connect.\n"
      "  mysql_port: 3306    # Optional, Integer. port to use for "
      "connection.\n"
      "  mysql_user: ipam        # Mandatory, String. User to authenticate "
      "with.\n"
      "  mysql_password: s3cret     # Mandatory, String. Password for the user "
      "to connect with.\n"
      "\n"
      "\n"
      "  # Server Component Variables\n"
      "  http_port: 5000     # Optional, Integer. The port for the Server "
      "component to listen for connections.\n"
      "  auth_token:         # Optional, String. Token used to authentication "
      "Agents.\n";

static void
the_old_page_is_a_configuration (void **state)
{
    (void) state;
    hub_config_t *config = load (s_page);
    assert_string_equal (config->database.host, "127.0.0.1");
    assert_int_equal (config->database.port, 3306);
    assert_null (config->database.socket);
    assert_string_equal (config->database.name, "phpipam");
    assert_string_equal (config->database.user, "ipam");
    assert_string_equal (config->database.password, "s3cret");
    assert_int_equal (config->database.tls, HUB_TLS_PREFERRED);
    assert_int_equal (config->http.token_count, 0);
    assert_int_equal (config->http.listen.count, 2);
    assert_string_equal (config->http.listen.items[0], "127.0.0.1:5000");
    assert_string_equal (config->http.listen.items[1], "[::1]:5000");
    assert_null (config->http.cert);
    assert_null (config->http.key);
    assert_false (config->http.plain_ok);
    assert_false (config->http.refusals_as_status);
    assert_int_equal (config->http.trusted_proxies.count, 2);
    assert_string_equal (config->timezone, "auto");
    assert_int_equal (config->workers, 2);
    assert_int_equal (config->log_level, SH_LOG_INFO);

    assert_int_equal (config->listen.count, 1);
    assert_string_equal (config->listen.items[0], "tcp://*:5766");
    assert_path (config->key, s_state, "hub.cert");
    assert_path (config->registry, s_state, "scanners");
    assert_path (config->http.spool, s_state, "shim.spool");
    assert_path (config->control, s_run, "control.sock");
    hub_config_destroy (&config);

    logged ("http_listen");
    logged ("http_cert");
    logged ("http_key");
    logged ("http_plain_ok");
    logged ("127.0.0.1:5000");
    logged ("[::1]:5000");
    not_logged ("ignored");
    not_logged ("chmod");
    not_logged ("verify-full");
    not_logged ("s3cret");
}

static void
every_key_is_taken (void **state)
{
    (void) state;
    hub_config_t *config = load (TOP "  mysql_host: localhost\n"
                                     "  mysql_port: \"3307\"\n"
                                     "  mysql_user: 'me'\n"
                                     "  mysql_password: 0123\n"
                                     "  http_port: '5001'\n"
                                     "  auth_token: 12345\n"
                                     "  http_listen: [10.0.0.1, '[::]', "
                                     "127.0.0.1:5002]\n"
                                     "  http_cert: /c.pem\n"
                                     "  http_key: k.pem\n"
                                     "  http_plain_ok: yes\n"
                                     "  phpipam_timezone: Europe/Berlin\n"
                                     "  mysql_tls: required\n");
    assert_string_equal (config->database.host, "localhost");
    assert_null (config->database.socket);
    assert_int_equal (config->database.port, 3307);
    assert_string_equal (config->database.user, "me");
    assert_string_equal (config->database.password, "0123");
    assert_int_equal (config->database.tls, HUB_TLS_REQUIRED);
    assert_int_equal (config->http.token_count, 1);
    assert_string_equal (config->http.tokens[0].label, "auth_token");
    assert_string_equal (config->http.tokens[0].token, "12345");
    assert_int_equal (config->http.tokens[0].codes.count, 0);
    assert_int_equal (config->http.listen.count, 3);
    assert_string_equal (config->http.listen.items[0], "10.0.0.1:5001");
    assert_string_equal (config->http.listen.items[1], "[::]:5001");
    assert_string_equal (config->http.listen.items[2], "127.0.0.1:5002");
    assert_string_equal (config->http.cert, "/c.pem");
    assert_path (config->http.key, s_dir, "k.pem");
    assert_true (config->http.plain_ok);
    assert_string_equal (config->timezone, "Europe/Berlin");
    hub_config_destroy (&config);
    not_logged ("http_listen"); /* it was said, so there is nothing to tell */
}

static void
passwords_stay_as_they_are_written (void **state)
{
    (void) state;
    static const struct
    {
        const char *yaml, *password;
    } cases[] = {
        { "12345678901234567890", "12345678901234567890" },
        { "1e5", "1e5" },
        { "0x1F", "0x1F" },
        { "007", "007" },
        { "yes", "yes" },
        { "'null'", "null" },
        { "1.50", "1.50" },
        { "2026-11-22", "2026-11-22" },
        { "'a b#c'", "a b#c" },
        { "a#b", "a#b" },
        { "p\xc3\xa4ss", "p\xc3\xa4ss" },
        { "''", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf (text, sizeof text,
                  TOP "  mysql_host: h\n  mysql_user: u\n"
                      "  mysql_password: %s\n",
                  cases[i].yaml);
        hub_config_t *config = load (text);
        assert_string_equal (config->database.password, cases[i].password);
        hub_config_destroy (&config);
    }
}

static void
an_empty_token_is_none (void **state)
{
    (void) state;
    static const char *const cases[] = { "", "''", "~", "null", "\"\"" };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf (text, sizeof text, TOP MANDATORY "  auth_token: %s\n",
                  cases[i]);
        hub_config_t *config = load (text);
        assert_int_equal (config->http.token_count, 0);
        hub_config_destroy (&config);
    }
}

static void
what_is_missing_is_named (void **state)
{
    (void) state;
    refuse (TOP, "'mysql_host', 'mysql_user', 'mysql_password' are missing");
    refuse (TOP "  mysql_user: u\n  mysql_password: p\n",
            "'mysql_host' is missing");
    refuse (TOP "  mysql_host: h\n  mysql_password: p\n",
            "'mysql_user' is missing");
    refuse (TOP "  mysql_host: h\n  mysql_user: u\n",
            "'mysql_password' is missing");
    refuse (TOP "  mysql_host: h\n  mysql_user: u\n  mysql_password:\n",
            "'mysql_password' is missing");
    refuse (TOP "  mysql_host: ''\n  mysql_user: u\n  mysql_password: p\n",
            "'mysql_host' is missing");
    refuse (TOP "  mysql_host: h\n  mysql_user: ''\n  mysql_password: p\n",
            "'mysql_user' is missing");
}

static void
what_is_wrong_is_refused (void **state)
{
    (void) state;
    static const struct
    {
        const char *text, *says;
    } cases[] = {
        { "nofusscomputing_phpipam_scan_server: 5\n", ":1: '" },
        { "nofusscomputing_phpipam_scan_server: [a]\n", "must be a map" },
        { TOP MANDATORY "  mysql_port: 0\n", ":5: 'mysql_port'" },
        { TOP MANDATORY "  mysql_port: 65536\n", "65535" },
        { TOP MANDATORY "  mysql_port: x\n", ":5: 'mysql_port'" },
        { TOP MANDATORY "  http_port: 0\n", ":5: 'http_port'" },
        { TOP MANDATORY "  http_port: ''\n", ":5: 'http_port'" },
        { TOP MANDATORY "  http_port: [1]\n", ":5: 'http_port'" },
        { TOP "  mysql_host: [h]\n", ":2: 'mysql_host' must be text" },
        { TOP "  mysql_password: {a: b}\n", "'mysql_password' must be text" },
        { TOP MANDATORY "  auth_token: [a]\n", ":5: 'auth_token'" },
        { TOP MANDATORY "  auth_token: a b\n", ":5: this is no token" },
        { TOP MANDATORY "  mysql_tls: yes\n", "off, preferred, required" },
        { TOP MANDATORY "  http_plain_ok: perhaps\n", "'http_plain_ok'" },
        { TOP MANDATORY "  phpipam_timezone: ''\n", "phpipam_timezone" },
        { TOP MANDATORY "  http_cert: /c\n",
          ":5: 'http_cert' is of no use without 'http_key'" },
        { TOP MANDATORY "  http_key: /k\n",
          ":5: 'http_key' is of no use without 'http_cert'" },
        { TOP MANDATORY "  http_cert: ''\n  http_key: /k\n",
          ":5: 'http_cert' is empty" },
        { TOP MANDATORY "  http_listen: []\n", "'http_listen' is an empty" },
        { TOP MANDATORY "  http_listen: host:5000\n", ":5: 'http_listen'" },
        { TOP MANDATORY "  http_listen:\n  - 127.0.0.1\n  - nonsense\n",
          ":7: 'http_listen': 'nonsense'" },
        { TOP MANDATORY "  mysql_port: 1\n  mysql_port: 2\n",
          ":6: duplicate key 'mysql_port'" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse (cases[i].text, cases[i].says);
}

static void
vault_and_jinja_are_refused_by_name (void **state)
{
    (void) state;
    static const char blob[]
        = "|\n    $ANSIBLE_VAULT;1.1;AES256\n    6231336539666234306139\n";
    char text[512];
    snprintf (text, sizeof text, TOP "  mysql_password: !vault %s", blob);
    refuse (text, ":2: Ansible vault");
    refuse (text, "'mysql_password'");
    snprintf (text, sizeof text, TOP "  mysql_password: %s", blob);
    refuse (text, "'mysql_password'");
    refuse ("$ANSIBLE_VAULT;1.1;AES256\n62313365396662343061393464336\n",
            ":1: Ansible vault");
    refuse (TOP "  auth_token: '{{ token }}'\n", ":2: '{{' begins a Jinja");
    refuse (TOP "  auth_token: '{{ token }}'\n", "'auth_token'");
    refuse (TOP "  mysql_host: {{ host }}\n", "'mysql_host'");
    refuse (TOP "  mysql_user: \"{{ lookup('env', 'U') }}\"\n", "Jinja");
}

static void
other_keys_are_warned_about (void **state)
{
    (void) state;
    static const char text[] = "ansible_connection: local\n" TOP MANDATORY
                               "  mysql_hots: x\n"
                               "  http_tls: {a: [b]}\n"
                               "others:\n  - 1\n";
    hub_config_t *config = load (text);
    hub_config_destroy (&config);
    logged ("ansible_connection");
    logged ("others");
    logged ("mysql_hots");
    logged ("http_tls");
    logged ("line=6");
    not_logged ("key=mysql_host");

    /*  The command line says nothing of it.  */
    sh_why_t why = { "" };
    assert_int_equal (try_by (hub_config_peek, &config, text, 0644, &why),
                      SH_OK);
    assert_string_equal (s_log, "");
    hub_config_destroy (&config);
}

static void
both_kinds_in_one_file_are_refused (void **state)
{
    (void) state;
    static const char *const ours[]
        = { "hub:\n  workers: 1\n", "database:\n  port: 1\n", "http:\n",
            "phpipam_timezone: UTC\n", "policy: {}\n", "log_level: info\n" };
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        char text[512], says[64];
        snprintf (text, sizeof text, TOP MANDATORY "%s", ours[i]);
        snprintf (says, sizeof says, ":5: '%.*s' belongs to scanhub.yaml",
                  (int) strcspn (ours[i], ":"), ours[i]);
        refuse (text, says);
    }
}

static void
a_wide_mode_is_warned_about (void **state)
{
    (void) state;
    static const mode_t modes[] = { 0644, 0640, 0604, 0666 };
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        hub_config_t *config = load_mode (s_page, modes[i]);
        hub_config_destroy (&config);
        logged ("chmod 0600");
    }
    hub_config_t *config = load_mode (s_page, 0600);
    hub_config_destroy (&config);
    not_logged ("chmod");
}

static void
tls_is_preferred_and_warned_about_beyond_this_machine (void **state)
{
    (void) state;
    static const struct
    {
        const char *text;
        hub_tls_t tls;
        bool warned;
    } cases[] = {
        { "  mysql_host: db.example\n", HUB_TLS_PREFERRED, true },
        { "  mysql_host: 10.0.0.1\n", HUB_TLS_PREFERRED, true },
        { "  mysql_host: db\n  mysql_tls: off\n", HUB_TLS_OFF, true },
        { "  mysql_host: db\n  mysql_tls: required\n", HUB_TLS_REQUIRED,
          false },
        { "  mysql_host: db\n  mysql_tls: verify-full\n",
          HUB_TLS_VERIFY_FULL, false },
        { "  mysql_host: localhost\n", HUB_TLS_PREFERRED, false },
        { "  mysql_host: '::1'\n", HUB_TLS_PREFERRED, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf (text, sizeof text,
                  TOP "  mysql_user: u\n  mysql_password: p\n%s",
                  cases[i].text);
        hub_config_t *config = load (text);
        assert_int_equal (config->database.tls, cases[i].tls);
        hub_config_destroy (&config);
        (cases[i].warned ? logged : not_logged) ("mysql_tls: verify-full");
    }
}

static void
other_machines_take_a_token_and_encryption (void **state)
{
    (void) state;
    refuse (TOP MANDATORY "  http_listen: 0.0.0.0\n",
            ":5: 'http_listen': 0.0.0.0:5000 can be reached");
    refuse (TOP MANDATORY "  http_listen: 0.0.0.0\n", "set auth_token");
    refuse (TOP MANDATORY "  http_listen: 0.0.0.0\n"
                          "  http_plain_ok: true\n",
            "set auth_token");
    refuse (TOP MANDATORY "  http_listen: '[::]'\n"
                          "  auth_token: no-token-set\n"
                          "  http_plain_ok: true\n",
            "[::]:5000 can be reached");
    refuse (TOP MANDATORY "  http_listen: [127.0.0.1, 10.0.0.1]\n"
                          "  auth_token: t\n",
            "set http_cert and http_key, or http_plain_ok: true");

    hub_config_t *config
        = load (TOP MANDATORY "  http_listen: 0.0.0.0\n  auth_token: t\n"
                              "  http_plain_ok: true\n");
    assert_string_equal (config->http.listen.items[0], "0.0.0.0:5000");
    hub_config_destroy (&config);
    config = load (TOP MANDATORY "  http_listen: 0.0.0.0\n  auth_token: t\n"
                                 "  http_cert: /c\n  http_key: /k\n");
    assert_false (config->http.plain_ok);
    hub_config_destroy (&config);
    config = load (TOP MANDATORY "  http_listen: 127.0.0.2\n");
    hub_config_destroy (&config);
}

static void
systemd_names_the_directories (void **state)
{
    (void) state;
    setenv ("STATE_DIRECTORY", "/s/one:/s/two", 1);
    setenv ("RUNTIME_DIRECTORY", "/r/one:/r/two", 1);
    hub_config_t *config = load (s_page);
    assert_string_equal (config->key, "/s/one/hub.cert");
    assert_string_equal (config->http.spool, "/s/one/shim.spool");
    assert_string_equal (config->control, "/r/one/control.sock");
    hub_config_destroy (&config);

    unsetenv ("STATE_DIRECTORY");
    setenv ("RUNTIME_DIRECTORY", "relative", 1);
    config = load (s_page);
    assert_string_equal (config->key, LOCALSTATEDIR "/lib/scanhub/hub.cert");
    assert_string_equal (config->registry,
                         LOCALSTATEDIR "/lib/scanhub/scanners");
    assert_string_equal (config->control,
                         RUNSTATEDIR "/scanhub/control.sock");
    hub_config_destroy (&config);
}

static sh_err_t
prepare (hub_config_t *config, sh_why_t *why)
{
    FILE *log;
    int before = begin_log (&log);
    sh_err_t rc = hub_config_prepare (config, why);
    end_log (log, before);
    return rc;
}

static void
assert_mode (const char *directory, const char *file, mode_t mode)
{
    char path[256];
    struct stat meta;
    snprintf (path, sizeof path, "%s%s%s", directory, *file ? "/" : "", file);
    assert_int_equal (stat (path, &meta), 0);
    assert_int_equal (meta.st_mode & 07777, mode);
}

static void
the_first_start_makes_what_is_missing (void **state)
{
    (void) state;
    sh_why_t why = { "" };
    char public_path[256];
    sh_keyfile_t *key = NULL, *public_half = NULL;
    hub_config_t *config = load (s_page);
    mode_t old = umask (0);
    assert_int_equal (prepare (config, &why), SH_OK);
    umask (old);
    assert_mode (s_state, "", 0700);
    assert_mode (s_state, "scanners", 0755);
    assert_mode (s_run, "", 0755);
    assert_mode (s_state, "hub.cert", 0600);
    assert_mode (s_state, "hub.cert.pub", 0644);
    logged (s_state);
    logged ("scanners");
    logged ("hub.cert");
    assert_int_equal (sh_keyfile_load (&key, config->key, true, &why), SH_OK);
    snprintf (public_path, sizeof public_path, "%s.pub", config->key);
    assert_int_equal (sh_keyfile_load (&public_half, public_path, false, &why),
                      SH_OK);
    assert_string_equal (key->public_key, public_half->public_key);
    assert_string_equal (public_half->secret_key, "");
    logged (key->public_key);
    not_logged (key->secret_key);

    /*  The second start finds it all there, and leaves modes alone.  */
    sh_keyfile_t *again = NULL;
    assert_int_equal (chmod (s_state, 0750), 0);
    assert_int_equal (prepare (config, &why), SH_OK);
    assert_string_equal (s_log, "");
    assert_mode (s_state, "", 0750);
    assert_int_equal (sh_keyfile_load (&again, config->key, true, &why),
                      SH_OK);
    assert_string_equal (again->public_key, key->public_key);
    sh_keyfile_destroy (&again);

    /*  A lost secret takes its public half with it.  */
    assert_int_equal (unlink (config->key), 0);
    assert_int_equal (prepare (config, &why), SH_OK);
    sh_keyfile_destroy (&public_half);
    assert_int_equal (sh_keyfile_load (&again, config->key, true, &why),
                      SH_OK);
    assert_int_equal (sh_keyfile_load (&public_half, public_path, false, &why),
                      SH_OK);
    assert_string_equal (again->public_key, public_half->public_key);
    assert_string_not_equal (again->public_key, key->public_key);
    sh_keyfile_destroy (&again);
    sh_keyfile_destroy (&public_half);
    sh_keyfile_destroy (&key);
    hub_config_destroy (&config);
}

static void
what_stands_in_the_way_is_told (void **state)
{
    (void) state;
    sh_why_t why = { "" };
    char path[256];
    hub_config_t *config = load (s_page);
    snprintf (path, sizeof path, "%s/var", s_dir);
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    fclose (file);
    assert_int_equal (prepare (config, &why), SH_E_IO);
    assert_non_null (strstr (why.text, path));
    assert_int_equal (unlink (path), 0);

    file = fopen (s_run, "w");
    assert_non_null (file);
    fclose (file);
    assert_int_equal (prepare (config, &why), SH_E_IO);
    assert_non_null (strstr (why.text, "no directory"));
    hub_config_destroy (&config);
}

static void
our_own_file_is_left_alone (void **state)
{
    (void) state;
    sh_why_t why = { "" };
    hub_config_t *config = NULL;
    char text[512];
    snprintf (text, sizeof text, "hub:\n  key: %s/k\n  registry: %s/r\n",
              s_state, s_state);
    write_file (text, 0600);
    assert_int_equal (hub_config_load (&config, s_path, &why), SH_OK);
    assert_false (config->legacy);
    assert_false (config->http_on);
    assert_int_equal (prepare (config, &why), SH_OK);
    assert_int_not_equal (access (s_state, F_OK), 0);
    hub_config_destroy (&config);
}

static void
what_needs_a_restart_is_named (void **state)
{
    (void) state;
    static const struct
    {
        const char *text, *key;
    } cases[] = {
        { TOP MANDATORY "  http_port: 5001\n", "http_listen or http_port" },
        { TOP MANDATORY "  http_listen: 127.0.0.1\n",
          "http_listen or http_port" },
        { TOP MANDATORY "  mysql_port: 1\n", "mysql_*" },
        { TOP MANDATORY "  phpipam_timezone: UTC\n", "phpipam_timezone" },
        { TOP MANDATORY "  auth_token: fresh\n", NULL },
        { TOP MANDATORY "  http_cert: /c\n  http_key: /k\n", NULL },
        { TOP MANDATORY "  http_plain_ok: true\n", NULL },
    };
    hub_config_t *old = load (TOP MANDATORY);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hub_config_t *fresh = load (cases[i].text);
        const char *key = hub_config_needs_restart (old, fresh);
        if (cases[i].key) {
            assert_non_null (key);
            assert_string_equal (key, cases[i].key);
        }
        else
            assert_null (key);
        hub_config_destroy (&fresh);
    }
    hub_config_destroy (&old);
}

#define CASE(f) cmocka_unit_test_setup_teardown (f, setup, teardown)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        CASE (the_old_page_is_a_configuration),
        CASE (every_key_is_taken),
        CASE (passwords_stay_as_they_are_written),
        CASE (an_empty_token_is_none),
        CASE (what_is_missing_is_named),
        CASE (what_is_wrong_is_refused),
        CASE (vault_and_jinja_are_refused_by_name),
        CASE (other_keys_are_warned_about),
        CASE (both_kinds_in_one_file_are_refused),
        CASE (a_wide_mode_is_warned_about),
        CASE (tls_is_preferred_and_warned_about_beyond_this_machine),
        CASE (other_machines_take_a_token_and_encryption),
        CASE (systemd_names_the_directories),
        CASE (the_first_start_makes_what_is_missing),
        CASE (what_stands_in_the_way_is_told),
        CASE (our_own_file_is_left_alone),
        CASE (what_needs_a_restart_is_named),
    };
    return cmocka_run_group_tests_name ("legacy_config", tests, NULL, NULL);
}

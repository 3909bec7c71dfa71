/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhub-shim's configuration file: defaults, what is refused, and the
    directory that its spool needs.  */

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

#include "lib/log.h"
#include "shim/config.h"

#define HUB_KEY "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define HUB "hub: {endpoint: 'tcp://hub.example:5766', key: '" HUB_KEY "'}\n"

static char s_dir[64];
static char s_path[128];
static char s_state[128];

static int
setup (void **state)
{
    (void) state;
    unsetenv ("CREDENTIALS_DIRECTORY");
    snprintf (s_dir, sizeof s_dir, "/tmp/test_shim_config.XXXXXX");
    if (!mkdtemp (s_dir))
        return -1;
    snprintf (s_path, sizeof s_path, "%s/shim.yaml", s_dir);
    snprintf (s_state, sizeof s_state, "%s/state", s_dir);
    setenv ("STATE_DIRECTORY", s_state, 1);
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
write_file (const char *name, const char *text, mode_t mode)
{
    char path[128];
    snprintf (path, sizeof path, "%s/%s", s_dir, name);
    FILE *to = fopen (path, "w");
    assert_non_null (to);
    assert_true (fputs (text, to) >= 0);
    assert_int_equal (fclose (to), 0);
    assert_int_equal (chmod (path, mode), 0);
}

static sm_config_t *
load (const char *text, mode_t mode)
{
    sm_config_t *config = NULL;
    sh_why_t why = { "" };
    write_file ("shim.yaml", text, mode);
    if (sm_config_load (&config, s_path, &why) != SH_OK)
        fail_msg ("%s", why.text);
    assert_non_null (config);
    return config;
}

static void
refuse (const char *text, mode_t mode, sh_err_t expected, const char *says)
{
    sm_config_t *config = NULL;
    sh_why_t why = { "" };
    write_file ("shim.yaml", text, mode);
    sh_err_t rc = sm_config_load (&config, s_path, &why);
    if (!strstr (why.text, says))
        fail_msg ("'%s' is not in: %s", says, why.text);
    assert_int_equal (rc, expected);
    assert_null (config);
}

static void
test_defaults (void **state)
{
    (void) state;
    char spool[160];
    snprintf (spool, sizeof spool, "%s/shim.spool", s_state);
    static const char *const texts[]
        = { HUB, HUB "http:\n", HUB "http: {}\n",
            HUB "http: {refusals: status}\n" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        sm_config_t *config = load (texts[i], 0644);
        assert_int_equal (config->hubs.count, 1);
        assert_string_equal (config->hubs.items[0].endpoint,
                             "tcp://hub.example:5766");
        assert_string_equal (config->hubs.items[0].public_key, HUB_KEY);
        assert_string_equal (config->key, SYSCONFDIR "/scanhub/shim.cert");
        assert_string_equal (config->path, s_path);
        assert_int_equal (config->log_level, SH_LOG_INFO);
        assert_string_equal (config->http.spool, spool);
        assert_int_equal (config->http.token_count, 0);
        assert_int_equal (config->http.listen.count, 2);
        assert_string_equal (config->http.listen.items[0], "127.0.0.1:5000");
        assert_string_equal (config->http.listen.items[1], "[::1]:5000");
        assert_int_equal (config->http.refusals_as_status, i == 3);
        sm_config_destroy (&config);
        assert_null (config);
    }
}

static void
test_spool_without_systemd (void **state)
{
    (void) state;
    static const char spool[] = LOCALSTATEDIR "/lib/scanhub/shim.spool";
    unsetenv ("STATE_DIRECTORY");
    sm_config_t *config = load (HUB, 0644);
    assert_string_equal (config->http.spool, spool);
    sm_config_destroy (&config);

    setenv ("STATE_DIRECTORY", "/var/lib/one:/var/lib/two", 1);
    config = load (HUB, 0644);
    assert_string_equal (config->http.spool, "/var/lib/one/shim.spool");
    sm_config_destroy (&config);
}

static void
test_everything_set (void **state)
{
    (void) state;
    write_file ("two.token", "secret-two\n", 0600);
    sm_config_t *config = load (
        HUB "key: /k\nlog_level: debug\n"
            "http:\n  listen: [127.0.0.1:0]\n  spool: /s/spool\n  tokens:\n"
            "    - {label: one, token: secret-one, codes: [A, B]}\n"
            "    - {label: two, token_file: two.token}\n",
        0600);
    assert_string_equal (config->key, "/k");
    assert_int_equal (config->log_level, SH_LOG_DEBUG);
    assert_int_equal (config->http.listen.count, 1);
    assert_string_equal (config->http.listen.items[0], "127.0.0.1:0");
    assert_string_equal (config->http.spool, "/s/spool");
    assert_int_equal (config->http.token_count, 2);
    assert_string_equal (config->http.tokens[0].token, "secret-one");
    assert_int_equal (config->http.tokens[0].codes.count, 2);
    assert_string_equal (config->http.tokens[1].token, "secret-two");
    sm_config_destroy (&config);
}

static void
test_refused (void **state)
{
    (void) state;
    refuse ("", 0644, SH_E_CONFIG, "no 'hub'");
    refuse ("log_level: info\n", 0644, SH_E_CONFIG, "no 'hub'");
    refuse (HUB "log_level: loud\n", 0644, SH_E_CONFIG, "shim.yaml:2:");
    refuse (HUB "http: yes\n", 0644, SH_E_CONFIG, "shim.yaml:2:");
    refuse (HUB "http: []\n", 0644, SH_E_CONFIG, "shim.yaml:2:");
    refuse (HUB "spool: /s\n", 0644, SH_E_CONFIG, "'spool'");
    refuse (HUB "http: {spool: shim.spool}\n", 0644, SH_E_CONFIG,
            "'http.spool' must be a path that begins with /");
    refuse (HUB "http: {spool: ''}\n", 0644, SH_E_CONFIG, "http.spool");
    refuse (HUB "http: {listen: []}\n", 0644, SH_E_CONFIG, "http.listen");
    refuse (HUB "http: {listen: 0.0.0.0}\n", 0644, SH_E_CONFIG, "http.tokens");
    refuse (HUB "http: {cert: c.pem}\n", 0644, SH_E_CONFIG, "http.key");
}

static void
test_mode (void **state)
{
    (void) state;
    static const char with_token[]
        = HUB "http: {tokens: [{label: one, token: secret-one}]}\n";
    static const char with_file[]
        = HUB "http: {tokens: [{label: one, token_file: one.token}]}\n";
    refuse (with_token, 0644, SH_E_MODE, "chmod 0600");
    refuse (with_token, 0640, SH_E_MODE, "token_file");
    sm_config_t *config = load (with_token, 0600);
    sm_config_destroy (&config);

    write_file ("one.token", "secret-one\n", 0600);
    config = load (with_file, 0644);
    assert_string_equal (config->http.tokens[0].token, "secret-one");
    sm_config_destroy (&config);
    write_file ("one.token", "secret-one\n", 0644);
    refuse (with_file, 0644, SH_E_MODE, "one.token");
}

static void
test_missing_and_large (void **state)
{
    (void) state;
    sm_config_t *config = NULL;
    sh_why_t why = { "" };
    assert_int_equal (sm_config_load (&config, s_path, &why), SH_E_NOT_FOUND);
    assert_non_null (strstr (why.text, "shim.yaml"));

    size_t size = 256 * 1024 + 1;
    char *text = malloc (size + 1);
    assert_non_null (text);
    memset (text, '#', size);
    text[size] = '\0';
    refuse (text, 0644, SH_E_CONFIG, "is it the right file?");
    free (text);
}

static void
test_spool_directory (void **state)
{
    (void) state;
    struct stat meta;
    sh_why_t why = { "" };
    sm_config_t *config = load (HUB, 0644);
    assert_int_equal (stat (s_state, &meta), -1);
    assert_int_equal (sm_config_prepare (config, &why), SH_OK);
    assert_int_equal (stat (s_state, &meta), 0);
    assert_true (S_ISDIR (meta.st_mode));
    assert_int_equal (meta.st_mode & 0777, 0700);
    assert_int_equal (sm_config_prepare (config, &why), SH_OK);
    sm_config_destroy (&config);

    char below[160], says[256];
    snprintf (below, sizeof below, "%s/a/b", s_dir);
    snprintf (says, sizeof says, "install -d -m 0700 %s", below);
    setenv ("STATE_DIRECTORY", below, 1);
    config = load (HUB, 0644);
    assert_int_equal (sm_config_prepare (config, &why), SH_E_IO);
    assert_non_null (strstr (why.text, says));
    sm_config_destroy (&config);

    config = load (HUB "http: {spool: /spool}\n", 0644);
    assert_int_equal (sm_config_prepare (config, &why), SH_OK);
    sm_config_destroy (&config);
}

int
main (void)
{
#define CASE(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE (test_defaults),
        CASE (test_spool_without_systemd),
        CASE (test_everything_set),
        CASE (test_refused),
        CASE (test_mode),
        CASE (test_missing_and_large),
        CASE (test_spool_directory),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

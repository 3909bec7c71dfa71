/* SPDX-License-Identifier: MPL-2.0 */
#include "shim/http_tls.h"

#include <assert.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "lib/file.h"
#include "lib/log.h"
#include "lib/secret.h"

#define PEM_MOST 262144

/*  Whatever keeps a configured file from being used is a matter of the
    configuration, except that a mode has its own word.  */
static sh_err_t
s_read (char **out, const char *path, bool secret, sh_why_t *why)
{
    char *text = NULL;
    size_t size = 0;
    struct stat meta;
    sh_err_t rc = sh_file_read (&text, &size, &meta, path, PEM_MOST, why);
    if (rc != SH_OK)
        return rc == SH_E_MEMORY ? rc : SH_E_CONFIG;
    if (secret)
        rc = sh_secret_check_mode (path, meta.st_mode, why);
    if (rc == SH_OK && strlen (text) != size)
        rc = sh_fail (why, SH_E_CONFIG, "%s: not a PEM file", path);
    if (rc == SH_OK) {
        *out = text;
        return SH_OK;
    }
    sh_secret_wipe (text, size);
    free (text);
    return rc;
}

static gnutls_datum_t
s_datum (char *text)
{
    return (gnutls_datum_t){ .data = (unsigned char *) text,
                             .size = (unsigned) strlen (text) };
}

static sh_err_t
s_check_key (sm_tls_t *self, const char *path, sh_why_t *why)
{
    gnutls_x509_privkey_t key;
    if (gnutls_x509_privkey_init (&key) != 0)
        return sh_fail (why, SH_E_MEMORY, "out of memory");
    gnutls_datum_t pem = s_datum (self->key);
    int rc = gnutls_x509_privkey_import2 (key, &pem, GNUTLS_X509_FMT_PEM, NULL,
                                          0);
    gnutls_x509_privkey_deinit (key);
    if (rc == GNUTLS_E_DECRYPTION_FAILED)
        return sh_fail (why, SH_E_CONFIG,
                        "%s: the private key is encrypted; store it without a "
                        "passphrase, mode 0600",
                        path);
    if (rc != 0)
        return sh_fail (why, SH_E_CONFIG, "%s: no private key in PEM: %s",
                        path, gnutls_strerror (rc));
    return SH_OK;
}

static sh_err_t
s_check_cert (sm_tls_t *self, const char *path, int64_t now, sh_why_t *why)
{
    gnutls_x509_crt_t cert;
    if (gnutls_x509_crt_init (&cert) != 0)
        return sh_fail (why, SH_E_MEMORY, "out of memory");
    gnutls_datum_t pem = s_datum (self->cert);
    int rc = gnutls_x509_crt_import (cert, &pem, GNUTLS_X509_FMT_PEM);
    int64_t from = 0, until = 0;
    if (rc == 0) {
        from = gnutls_x509_crt_get_activation_time (cert);
        until = gnutls_x509_crt_get_expiration_time (cert);
    }
    gnutls_x509_crt_deinit (cert);
    if (rc != 0)
        return sh_fail (why, SH_E_CONFIG, "%s: no certificate in PEM: %s",
                        path, gnutls_strerror (rc));
    if (now / 1000 < from || now / 1000 > until)
        sh_log (SH_LOG_WARNING,
                "http: the certificate is not valid today; scanners will "
                "refuse it",
                SH_STR ("file", path));
    return SH_OK;
}

static sh_err_t
s_check_pair (sm_tls_t *self, const char *cert, const char *key, sh_why_t *why)
{
    gnutls_certificate_credentials_t pair;
    if (gnutls_certificate_allocate_credentials (&pair) != 0)
        return sh_fail (why, SH_E_MEMORY, "out of memory");
    gnutls_datum_t cert_pem = s_datum (self->cert);
    gnutls_datum_t key_pem = s_datum (self->key);
    int rc = gnutls_certificate_set_x509_key_mem (pair, &cert_pem, &key_pem,
                                                  GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials (pair);
    if (rc == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
        return sh_fail (why, SH_E_CONFIG,
                        "%s is not the key of the certificate in %s", key,
                        cert);
    if (rc < 0)
        return sh_fail (why, SH_E_CONFIG, "%s and %s cannot be used: %s", cert,
                        key, gnutls_strerror (rc));
    return SH_OK;
}

sh_err_t
sm_tls_load (sm_tls_t *out, const char *cert, const char *key, int64_t now,
             sh_why_t *why)
{
    assert (out && cert && key);
    sm_tls_t self = { 0 };
    sh_err_t rc = s_read (&self.cert, cert, false, why);
    if (rc == SH_OK)
        rc = s_read (&self.key, key, true, why);
    if (rc == SH_OK)
        rc = s_check_cert (&self, cert, now, why);
    if (rc == SH_OK)
        rc = s_check_key (&self, key, why);
    if (rc == SH_OK)
        rc = s_check_pair (&self, cert, key, why);
    if (rc == SH_OK)
        *out = self;
    else
        sm_tls_clear (&self);
    return rc;
}

void
sm_tls_clear (sm_tls_t *self)
{
    assert (self);
    free (self->cert);
    sh_secret_free (&self->key);
    self->cert = NULL;
}

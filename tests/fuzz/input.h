/* SPDX-License-Identifier: MPL-2.0 */
/*  What targets share: a fuzzer's bytes read as numbers and texts, and the one
    way to say that a property does not hold.  Everything that is drawn from an
    input lives in the target's own memory; an input that has ended goes on as
    zeros.  */

#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef struct
{
    const uint8_t *at;
    size_t left;
} input_t;

static inline void
fuzz_require (bool holds)
{
    if (!holds)
        abort ();
}

static inline uint8_t
fuzz_byte (input_t *self)
{
    if (self->left == 0)
        return 0;
    self->left--;
    return *self->at++;
}

/*  0 to 'most'.  */
static inline uint64_t
fuzz_number (input_t *self, uint64_t most)
{
    uint64_t number = 0;
    for (uint64_t left = most; left > 0; left >>= 8)
        number = number << 8 | fuzz_byte (self);
    return most == UINT64_MAX ? number : number % (most + 1);
}

/*  Up to 'most' bytes, borrowed; their number comes first.  */
static inline size_t
fuzz_take (input_t *self, size_t most, const uint8_t **at)
{
    size_t size = (size_t) fuzz_number (self, most);
    if (size > self->left)
        size = self->left;
    *at = self->at;
    self->at += size;
    self->left -= size;
    return size;
}

/*  All bytes as a text; the caller's.  */
static inline char *
fuzz_text (const uint8_t *data, size_t size)
{
    char *text = calloc (1, size + 1);
    fuzz_require (text != NULL);
    if (size > 0)
        memcpy (text, data, size);
    return text;
}

/*  All bytes as a file in memory that is closed to others, for parsers that
    take a path: '/proc/self/fd/N'.  One descriptor for the whole process.  */
static inline const char *
fuzz_file (const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[64];
    if (fd < 0) {
        fd = memfd_create ("fuzz", MFD_CLOEXEC);
        fuzz_require (fd >= 0 && fchmod (fd, 0600) == 0);
        snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
    }
    fuzz_require (ftruncate (fd, 0) == 0
                  && pwrite (fd, data, size, 0) == (ssize_t) size);
    return path;
}

#endif

/* SPDX-License-Identifier: MPL-2.0 */
/*  What kept us from asking: local errors by number, and what an administrator
    should know of them.  */

#ifndef SC_TROUBLE_H
#define SC_TROUBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SC_TROUBLE_KINDS 8 /* further ones are counted with the last */

typedef struct
{
    struct
    {
        int error; /* errno; 0: free */
        uint64_t count;
    } kinds[SC_TROUBLE_KINDS];
} sc_trouble_t;

/*  EHOSTDOWN stands for a gateway of ours that does not answer.  */
void sc_trouble_add (sc_trouble_t *self, int error);

/*  Does it pass by itself in a moment: buffers, descriptors?  */
bool sc_trouble_is_brief (int error);

/*  "3 of 254 addresses could not be asked: ..., what to do".  */
void sc_trouble_text (const sc_trouble_t *self, uint64_t missed,
                      uint64_t count, char *out, size_t size);

#endif

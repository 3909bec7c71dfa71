/* SPDX-License-Identifier: MPL-2.0 */
/*  nmap's XML output (-oX) as it comes out of the pipe: hosts that are up go
    into a result at once, and in the end it is known whether the run was a
    whole one.  What strangers put into vendor texts and the like passes through
    here, so size and depth are bounded and entity declarations refused.  */

#ifndef SC_NMAP_XML_H
#define SC_NMAP_XML_H

#include "scanner/prober.h"

#define SC_NMAP_XML_MOST (64u * 1024 * 1024) /* bytes of a run's output */
#define SC_NMAP_XML_DEPTH 16                 /* nesting; nmap's own is 5 */

typedef struct sc_nmap_xml sc_nmap_xml_t;

/*  Hosts are appended to 'result' (borrowed), at most 'hosts_most' of them;
    'clock' gives the time at which each was seen, because nmap tells none;
    in the end none is later than the second in which nmap finished.
    SH_E_MEMORY.  */
sh_err_t sc_nmap_xml_new (sc_nmap_xml_t **out, sc_result_t *result,
                          uint64_t hosts_most, const sh_clock_t *clock)
    SH_MUST_CHECK;
void sc_nmap_xml_destroy (sc_nmap_xml_t **self_p);

/*  The next bytes.  SH_E_PROBE: not XML, over a limit or an entity
    declaration; SH_E_MEMORY.  An error stays: later calls return it too.  */
sh_err_t sc_nmap_xml_feed (sc_nmap_xml_t *self, const void *data, size_t size,
                           sh_why_t *why) SH_MUST_CHECK;

/*  The end of the output.  SH_OK only if the document is whole, nmap calls
    the run a success, and it took on exactly 'asked' addresses: it skips
    those it has no route to and calls that a success, too.  */
sh_err_t sc_nmap_xml_finish (sc_nmap_xml_t *self, uint64_t asked,
                             sh_why_t *why) SH_MUST_CHECK;

/*  Name and version of the XML library, for --version.  */
const char *sc_nmap_xml_library (void);

#endif

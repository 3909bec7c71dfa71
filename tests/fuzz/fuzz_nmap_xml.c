/* SPDX-License-Identifier: MPL-2.0 */
/*  nmap's XML in two pieces, cut where the first byte says, as a pipe may cut
    it anywhere.  */

#include <stdlib.h>

#include "scanner/nmap_xml.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t cut = (size - 1) * data[0] / 255;
    data++;
    size--;

    sc_result_t result = { 0 };
    sc_nmap_xml_t *xml = NULL;
    sh_why_t why;
    if (sc_nmap_xml_new (&xml, &result, 256, sh_clock_system ()) != SH_OK)
        return 0;
    sh_err_t first = sc_nmap_xml_feed (xml, data, cut, &why);
    sh_err_t second = sc_nmap_xml_feed (xml, data + cut, size - cut, &why);
    sh_err_t third = sc_nmap_xml_finish (xml, result.count, &why);
    if ((first != SH_OK && second != first)
        || (second != SH_OK && third != second))
        abort (); /* an error has to stay */

    sh_ranges_t asked = { 0 };
    sh_addr_t low = { .family = 4 };
    sh_addr_t high = { .family = 4, .bytes = { 127, 255, 255, 255 } };
    if (sh_ranges_add (&asked, &low, &high) == SH_OK)
        sc_result_settle (&result, &(sc_job_t){ .ranges = &asked }, 0,
                          INT64_MAX);
    for (size_t i = 0; i < result.count; i++) {
        if (result.hosts[i].ip.family != 4 || result.hosts[i].ip.bytes[0] > 127)
            abort ();
    }
    sh_ranges_clear (&asked);
    sc_result_clear (&result);
    sc_nmap_xml_destroy (&xml);
    return 0;
}

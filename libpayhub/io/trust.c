/* trust.c - see trust.h. */
#include "libpayhub/io/trust.h"

#include <stdlib.h>
#include <unistd.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/wire/cert.h"

#define SYSTEM_FILE "/etc/ssl/certs/ca-certificates.crt"

bool
ph_trust_read(struct ph_trust **trust, const char *extra_file,
              struct ph_buf *why)
{
    bool          has_system = access(SYSTEM_FILE, R_OK) == 0;
    bool          has_extra  = extra_file[0] != '\0';
    char         *memory     = malloc(PH_CERTS_TEXT_MAX);
    struct ph_str pems[2];
    size_t        count = 0;
    struct ph_buf text;
    bool          ok = memory != NULL;

    *trust = NULL;
    ph_buf_init(&text, memory, memory != NULL ? PH_CERTS_TEXT_MAX : 0);
    if (ok && has_system) {
        ok            = ph_file_read(SYSTEM_FILE, &text, why);
        pems[count++] = ph_buf_str(&text);
    }
    if (ok && has_extra) {
        size_t mark = text.len;

        ok            = ph_file_read(extra_file, &text, why);
        pems[count++] = ph_str_make(text.ptr + mark, text.len - mark);
    }
    if (ok && count != 0 && ph_trust_new(trust, pems, count) != PH_OK) {
        ph_buf_add(why, ph_str_z(has_extra ? extra_file : SYSTEM_FILE));
        ph_buf_add(why, PH_STR(": found what is no certificate, expected "
                               "certificates in PEM"));
        ok = false;
    }
    free(memory);
    return ok;
}

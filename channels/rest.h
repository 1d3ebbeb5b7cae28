/*
 * rest.h - what channels share whose answers are JSON under TLS and carry no
 * signature: Stripe, PayPal.
 */
#ifndef PH_CHANNEL_REST_H
#define PH_CHANNEL_REST_H

#include "channels/channel.h"
#include "channels/pick.h"

/* A currency whose amounts the channel writes in its own way. */
struct ph_unit {
    char    code[4];
    int     exponent; /* decimals at the channel */
    int64_t step;     /* the amount there is a multiple of it */
};

/* Minor units of ISO 4217 to those of the channel and back; a currency without
 * a row has two decimals on both sides.  false: it does not divide, is out of
 * range, or the currency is none that has a rule. */
bool ph_unit_to(const struct ph_unit *units, size_t count,
                struct ph_str currency, int64_t minor,
                int64_t *out) PH_MUST_CHECK;
bool ph_unit_from(const struct ph_unit *units, size_t count,
                  struct ph_str currency, int64_t theirs,
                  int64_t *out) PH_MUST_CHECK;

/* decimals at the channel; -1 as above */
int ph_unit_exponent(const struct ph_unit *units, size_t count,
                     struct ph_str currency);

/* The account's address, else the standard one; no slash at its end. */
struct ph_str ph_rest_base(struct ph_str given, struct ph_str standard);

/* http, which fields of the kind URL take for such hosts alone, or https to
 * 127.0.0.1, localhost or [::1]: a counterpart of tests */
bool ph_rest_is_loopback(struct ph_str base);

/* at most `most` characters, none cut in half; bytes that are no UTF-8: none */
struct ph_str ph_rest_cut(struct ph_str text, size_t most);

/* printable ASCII without blanks, 1 to `most` bytes */
bool ph_rest_is_plain(struct ph_str text, size_t most);

void ph_rest_header(struct ph_channel_request *request, struct ph_str name,
                    struct ph_str value);

/* head and tail in one */
struct ph_str ph_rest_joined(struct ph_str head, struct ph_str tail,
                             struct ph_arena *arena);

/* base, head, the id in hex where it needs to be, tail */
struct ph_str ph_rest_url(struct ph_str base, const char *head,
                          struct ph_str id, const char *tail,
                          struct ph_arena *arena);

/* nothing told, nothing proved */
struct ph_channel_result ph_rest_unknown(struct ph_str error_class);

/* "KEY: found " and the value's length, ", expected " and what */
const char *ph_rest_why(const char *key, struct ph_str value,
                        const char *expected, struct ph_arena *arena);

/* The member as a text, {NULL, 0} when it is not there; false when it is of
 * another type or there is no room. */
bool ph_rest_text(const struct ph_doc *doc, const char *path,
                  struct ph_arena *arena, struct ph_str *out) PH_MUST_CHECK;

/* ---- webhooks ---- */

/* a type of event, and what it is to the channel */
struct ph_rest_event {
    struct ph_str type;
    int           event; /* 0 = nothing to us, as of a type without a row */
};

int ph_rest_event_of(const struct ph_rest_event *rows, size_t count,
                     struct ph_str type);

/* A body whose signature was right: `take` reads it, with `ok` as the word that
 * acknowledges it. */
enum ph_rc
ph_rest_event_read(struct ph_str body, struct ph_arena *arena,
                   enum ph_rc (*take)(const struct ph_doc *doc,
                                      const void *data, struct ph_arena *arena,
                                      struct ph_channel_notice_out *out),
                   const void                   *data,
                   struct ph_channel_notice_out *out) PH_MUST_CHECK;

#endif

/*
 * docs.c - configuration.md, errors.md and states.md from the tables.
 */
#include "scripts/docs/docs.h"

#include "libpayhub/base/conf_rules.h"
#include "libpayhub/base/rc.h"
#include "libpayhub/domain/error.h"
#include "libpayhub/domain/states.h"

static void
add(struct ph_buf *buf, const char *text)
{
    ph_buf_add(buf, ph_str_z(text));
}

static void
configuration_intro(struct ph_buf *buf)
{
    add(buf,
        "# payhub.conf\n\n"
        "Made from `libpayhub/base/conf_keys.def` by `make docs`; do not "
        "edit.\n\n"
        "The file is named by `--config`, else by `PAYHUB_CONFIG`, else it is "
        "`/etc/payhub/payhub.conf`. Lines are `[section]`, `key = value`, "
        "blank, or a comment that begins with `;` or `#` in column 1.\n\n"
        "The reader refuses, with file, line, what it found and what it "
        "expected: lines over 190 bytes, a blank before a key, a comment "
        "behind a value, carriage returns, control bytes and NUL, bytes that "
        "are not UTF-8, unknown sections and keys, a key that stands twice, a "
        "value outside its bounds, a file over 16 KiB.\n\n"
        "Times are digits and one of `ms`, `s`, `m`, `h`: `500ms`, `10s`. "
        "Secrets stand in files (mode 0600) that the keys `..._file` name.\n");
}

static void
configuration_env(struct ph_buf *buf)
{
    add(buf,
        "\n## Environment\n\n"
        "`PAYHUB_<SECTION>_<KEY>`, in upper case, overrides the file: "
        "`PAYHUB_STORE_SOCKET=/run/db.sock`. The value is judged like one in "
        "the file.\n\n"
        "These names are no keys and are left to the programs that use them; "
        "where one is also a key above, as `PAYHUB_REDIS_SOCKET`, it is that "
        "key. Any other name that begins with `PAYHUB_` stops the start.\n\n");
    for (size_t i = 0; i < ph_conf_other_name_count; i++) {
        add(buf, "- `PAYHUB_");
        add(buf, ph_conf_other_names[i]);
        add(buf,
            ph_conf_other_names[i][strlen(ph_conf_other_names[i]) - 1] == '_'
                ? "*`\n"
                : "`\n");
    }
}

static void
configuration_row(struct ph_buf *buf, enum ph_conf_key key)
{
    const struct ph_conf_row *row = ph_conf_row(key);

    add(buf, "| `");
    add(buf, row->key);
    add(buf, "` | ");
    if (row->value[0] != '\0') {
        add(buf, "`");
        add(buf, row->value);
        add(buf, "`");
    } else {
        add(buf, "not set");
    }
    add(buf, " | ");
    ph_conf_expected(buf, key);
    add(buf, row->reloadable ? " | yes | " : " | no | ");
    add(buf, row->meaning);
    add(buf, " |\n");
}

static void
write_configuration(struct ph_buf *buf)
{
    const char *section = "";

    configuration_intro(buf);
    for (unsigned key = 0; key < PH_CONF_KEYS; key++) {
        const struct ph_conf_row *row = ph_conf_row((enum ph_conf_key) key);

        if (strcmp(section, row->section) != 0) {
            section = row->section;
            add(buf, "\n## [");
            add(buf, section);
            add(buf, "]\n\n| key | default | takes | reloadable | meaning |\n"
                     "|---|---|---|---|---|\n");
        }
        configuration_row(buf, (enum ph_conf_key) key);
    }
    configuration_env(buf);
}

static void
errors_row(struct ph_buf *buf, const struct ph_error_info *info)
{
    add(buf, "| ");
    ph_buf_add(buf, info->code);
    add(buf, " | ");
    if (info->status != 0) {
        ph_buf_u64(buf, info->status);
    } else {
        add(buf, "-");
    }
    add(buf, info->retryable ? " | yes | " : " | no | ");
    ph_buf_add(buf, info->title);
    add(buf, " |\n");
}

static void
write_errors(struct ph_buf *buf)
{
    add(buf,
        "# Error codes\n\n"
        "Made from `libpayhub/domain/errors.def` by `make docs`; do not "
        "edit.\n\n"
        "A refusal over HTTP is a problem document (RFC 9457): `type` is "
        "`urn:payhub:problem:CODE`, beside it `title`, `status`, `detail`, "
        "`code`, `request_id`, `retryable` and, where members are at fault, "
        "`errors` with `pointer` and `detail` each. Codes are never reused.\n\n"
        "`retryable` yes: the same order number may be sent again, signed "
        "anew. `PH-A305` and `PH-A404` are not failures: the payment may "
        "have happened, ask by `order_no`. `PH-A291` carries the HTTP status "
        "that nginx gave. `PH-C` codes stand in messages of `nginx -t` and "
        "have no HTTP status.\n\n"
        "| code | HTTP | retryable | title |\n|---|---|---|---|\n");
    for (unsigned error = PH_ERROR_NONE + 1; error < PH_ERRORS; error++) {
        errors_row(buf, ph_error_info((enum ph_error) error));
    }
}

static const struct docs_move {
    const char *from, *to, *by;
} payment_moves[] = {
#define MOVE(from, to, by) { #from, #to, #by },
#include "libpayhub/domain/payment_states.def"
}, attempt_moves[] = {
#define MOVE(from, to, by) { #from, #to, #by },
#include "libpayhub/domain/attempt_states.def"
}, refund_moves[] = {
#define MOVE(from, to, by) { #from, #to, #by },
#include "libpayhub/domain/refund_states.def"
};

static void
add_lower(struct ph_buf *buf, const char *text)
{
    for (; *text != '\0'; text++) {
        bool upper = *text >= 'A' && *text <= 'Z';

        ph_buf_byte(buf, upper ? (char) (*text - 'A' + 'a') : *text);
    }
}

static void
states_moves(struct ph_buf *buf, const struct docs_move *moves, size_t count)
{
    add(buf, "\n| from | to | by |\n|---|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        add(buf, "| ");
        add_lower(buf, moves[i].from);
        add(buf, " | ");
        add_lower(buf, moves[i].to);
        add(buf, " | ");
        add_lower(buf, moves[i].by);
        add(buf, " |\n");
    }
}

static void
write_states(struct ph_buf *buf)
{
    add(buf,
        "# States\n\n"
        "Made from `libpayhub/domain/payment_states.def`, "
        "`attempt_states.def` and `refund_states.def` by `make docs`; do not "
        "edit.\n\n"
        "The same words stand in SQL, API, webhooks and counters. A move that "
        "is not listed is refused; a move to the state where one already is "
        "changes nothing and is no error. `any`: whoever learns it, from an "
        "answer, a notice or a query. `proved`: only with proof about every "
        "attempt concerned. `person`: an operator by hand, audited. Each may "
        "do what the ones before it may.\n\n"
        "## Payment\n\n`paid` and `paid_late` never leave.\n");
    states_moves(buf, payment_moves, PH_COUNT(payment_moves));
    add(buf, "\nAt rest: ");
    for (unsigned i = 1; i < PH_PAYMENT_STATES; i++) {
        if (ph_payment_is_final((enum ph_payment_state) i)) {
            add(buf, "`");
            add(buf, ph_payment_state_text((enum ph_payment_state) i));
            add(buf, "` ");
        }
    }
    add(buf,
        "\n\n## Attempt\n\nOne try at one channel. `new` to `sent` is "
        "committed before the first byte leaves; `new` to `failed` means that "
        "nothing was sent. `unknown` is never called failed. `closing` shows "
        "as `unknown` in `/v1`.\n");
    states_moves(buf, attempt_moves, PH_COUNT(attempt_moves));
    add(buf, "\nProved: ");
    for (unsigned i = 1; i < PH_ATTEMPT_STATES; i++) {
        if (ph_attempt_is_proved((enum ph_attempt_state) i)) {
            add(buf, "`");
            add(buf, ph_attempt_state_text((enum ph_attempt_state) i));
            add(buf, "` ");
        }
    }
    add(buf,
        "\n\n## Refund\n\nA merchant's refund is born `processing`, one that "
        "payhub makes by itself `created`. Only `failed` gives back what was "
        "reserved; a proof that comes later still counts.\n");
    states_moves(buf, refund_moves, PH_COUNT(refund_moves));
}

const struct docs_page docs_pages[] = {
    { "configuration.md", write_configuration },
    { "errors.md", write_errors },
    { "states.md", write_states },
};

const size_t docs_page_count = PH_COUNT(docs_pages);

/*
 * gtid.c - see gtid.h.
 */
#include "cli/gtid.h"

static bool
domain_find(const struct cli_gtid *in, uint64_t domain, uint64_t *sequence)
{
    for (size_t i = 0; i < in->count; i++) {
        if (in->at[i].domain == domain) {
            *sequence = in->at[i].sequence;
            return true;
        }
    }
    return false;
}

static enum ph_rc
one_parse(struct cli_gtid *out, struct ph_str text)
{
    struct ph_str domain_text, rest, server_text, sequence_text;
    uint64_t      domain, server, sequence, known;

    if (!ph_str_cut(ph_str_trim(text), '-', &domain_text, &rest)
        || !ph_str_cut(rest, '-', &server_text, &sequence_text)
        || !ph_str_u64(domain_text, UINT32_MAX, &domain)
        || !ph_str_u64(server_text, UINT32_MAX, &server)
        || !ph_str_u64(sequence_text, UINT64_MAX, &sequence))
    {
        return PH_E_SYNTAX;
    }
    if (domain_find(out, domain, &known)) {
        return PH_E_DUPLICATE;
    }
    if (out->count == CLI_GTID_DOMAINS_MAX) {
        return PH_E_FULL;
    }
    out->at[out->count].domain     = domain;
    out->at[out->count++].sequence = sequence;
    return PH_OK;
}

enum ph_rc
cli_gtid_parse(struct cli_gtid *out, struct ph_str text)
{
    struct ph_str piece;

    out->count = 0;
    if (ph_str_trim(text).len == 0) {
        return PH_OK;
    }
    while (ph_str_next(&text, ',', &piece)) {
        enum ph_rc rc = one_parse(out, piece);
        if (rc != PH_OK) {
            return rc;
        }
    }
    return PH_OK;
}

bool
cli_gtid_reached(const struct cli_gtid *have, const struct cli_gtid *goal)
{
    for (size_t i = 0; i < goal->count; i++) {
        uint64_t sequence;
        if (!domain_find(have, goal->at[i].domain, &sequence)
            || sequence < goal->at[i].sequence)
        {
            return false;
        }
    }
    return true;
}

bool
cli_gtid_same(const struct cli_gtid *a, const struct cli_gtid *b)
{
    return cli_gtid_reached(a, b) && cli_gtid_reached(b, a);
}

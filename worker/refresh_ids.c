/* refresh_ids.c - see refresh_ids.h. */
#include "worker/refresh_ids.h"

#include "libpayhub/base/cur.h"
#include "libpayhub/wire/digest.h"

#define DIGEST_LEN 8 /* of the SHA-256 of an id */
#define TIME_LEN 8   /* milliseconds, doubled; one more: it was answered */

#define LOOK_NS UINT64_C(1000000000)

struct entry {
    struct ph_str digest;
    uint64_t      at_ms;
    bool          is_answered;
};

static bool
entry_next(struct ph_cur *cur, struct entry *entry)
{
    uint64_t at;

    entry->digest      = ph_cur_take(cur, DIGEST_LEN);
    at                 = ph_cur_le(cur, TIME_LEN);
    entry->at_ms       = at / 2;
    entry->is_answered = at % 2 != 0;
    return !cur->failed && entry->digest.ptr != NULL;
}

/* false = no SHA-256 */
static bool
digest_of(struct ph_str id, uint8_t out[PH_SHA256_LEN])
{
    return ph_sha256(&id, 1, out);
}

static bool
is_within(const struct entry *entry, uint64_t now_ms, uint64_t ms)
{
    /* a clock that was put back counts as no time at all */
    return entry->at_ms + ms > now_ms && entry->at_ms <= now_ms + ms;
}

bool
wk_refresh_ids_allow(struct ph_str ids, struct ph_str id, uint64_t now_ms,
                     bool is_doubted)
{
    const unsigned most
        = is_doubted ? WK_REFRESH_DOUBTED_MAX : WK_REFRESH_TRIES_MAX;
    uint8_t       digest[PH_SHA256_LEN];
    struct ph_cur cur;
    struct entry  entry;
    unsigned      tries = 0;

    if (!digest_of(id, digest)) {
        return false;
    }
    ph_cur_init(&cur, ids);
    for (size_t i = 0; i < WK_REFRESH_IDS_MAX && entry_next(&cur, &entry); i++)
    {
        const bool is_it = memcmp(entry.digest.ptr, digest, DIGEST_LEN) == 0;

        if (is_within(&entry, now_ms, WK_REFRESH_TRIED_MS)) {
            tries++;
        }
        if (is_it
            && is_within(&entry, now_ms,
                         entry.is_answered ? WK_REFRESH_MISSED_MS
                                           : WK_REFRESH_TRIED_MS))
        {
            return false;
        }
    }
    return tries < most;
}

void
wk_refresh_ids_note(struct ph_str ids, struct ph_str id, uint64_t now_ms,
                    bool is_answered, struct ph_buf *out)
{
    uint8_t       digest[PH_SHA256_LEN];
    struct ph_cur cur;
    struct entry  entry;
    size_t        count = 1;

    if (!digest_of(id, digest)) {
        return; /* none is remembered, none is allowed */
    }
    ph_buf_add(out, ph_str_make((const char *) digest, DIGEST_LEN));
    ph_buf_le(out, now_ms * 2 + is_answered, TIME_LEN);
    ph_cur_init(&cur, ids);
    while (count < WK_REFRESH_IDS_MAX && entry_next(&cur, &entry)) {
        if (memcmp(entry.digest.ptr, digest, DIGEST_LEN) != 0) {
            ph_buf_add(out, entry.digest);
            ph_buf_le(out, entry.at_ms * 2 + entry.is_answered, TIME_LEN);
            count++;
        }
    }
}

static bool
is_fresh(uint64_t at_ns, uint64_t now_ns)
{
    return at_ns != 0 && now_ns - at_ns < LOOK_NS;
}

bool
wk_refresh_look_take(struct wk_refresh_looks *looks, struct ph_str id,
                     uint64_t now_ns)
{
    uint8_t  digest[PH_SHA256_LEN];
    uint64_t part;
    size_t   oldest = 0;

    if (!digest_of(id, digest)) {
        return false;
    }
    memcpy(&part, digest, sizeof(part));
    for (size_t i = 0; i < WK_REFRESH_LOOKS_MAX; i++) {
        if (looks->of[i].id == part && is_fresh(looks->of[i].at_ns, now_ns)) {
            return false;
        }
        if (looks->of[i].at_ns < looks->of[oldest].at_ns) {
            oldest = i;
        }
    }
    if (is_fresh(looks->of[oldest].at_ns, now_ns)) {
        return false;
    }
    looks->of[oldest].id    = part;
    looks->of[oldest].at_ns = now_ns;
    return true;
}

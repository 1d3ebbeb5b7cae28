/*
 * fuzz_auth.c - the Authorization header of payhub-v3.
 *
 * What is taken has only bytes of its grammar, and formats to a header that
 * says the same.
 */
#include "t/fuzz/fuzz.h"

#include "libpayhub/wire/auth_v3.h"
#include "libpayhub/wire/b64.h"

/* base64 that decodes encodes to itself: one text for one value */
static void
check_signature(struct ph_str text)
{
    char          raw_memory[PH_SIGNATURE_TEXT_MAX];
    char          text_memory[PH_SIGNATURE_TEXT_MAX];
    struct ph_buf raw   = PH_BUF_INIT(raw_memory);
    struct ph_buf again = PH_BUF_INIT(text_memory);

    if (ph_b64_decode(&raw, text) == PH_OK) {
        ph_b64_encode(&again, ph_buf_str(&raw));
        FUZZ_HOLDS(ph_str_eq(ph_buf_str(&again), text));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char              memory[PH_AUTH_V3_HEADER_MAX];
    struct ph_buf     buf = PH_BUF_INIT(memory);
    struct ph_auth_v3 auth, back;

    check_signature(ph_str_make(
        (const char *) data,
        size < PH_SIGNATURE_TEXT_MAX ? size : PH_SIGNATURE_TEXT_MAX));
    if (ph_auth_v3_parse(ph_str_make((const char *) data, size), &auth)
        != PH_OK) {
        return 0;
    }
    FUZZ_HOLDS(ph_str_is_token(auth.key_id, PH_KEY_ID_LEN_MAX));
    FUZZ_HOLDS(ph_str_is_token(auth.nonce, PH_NONCE_LEN_MAX));
    FUZZ_HOLDS(auth.nonce.len >= PH_NONCE_LEN_MIN);
    check_signature(auth.signature);
    ph_auth_v3_format(&buf, &auth);
    FUZZ_HOLDS(!buf.full && buf.len == size);
    FUZZ_HOLDS(ph_auth_v3_parse(ph_buf_str(&buf), &back) == PH_OK);
    FUZZ_HOLDS(ph_str_eq(back.key_id, auth.key_id));
    FUZZ_HOLDS(ph_str_eq(back.timestamp_text, auth.timestamp_text));
    FUZZ_HOLDS(ph_str_eq(back.nonce, auth.nonce));
    FUZZ_HOLDS(ph_str_eq(back.signature, auth.signature));
    FUZZ_HOLDS(back.timestamp == auth.timestamp);
    return 0;
}

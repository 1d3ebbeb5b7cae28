/*
 * fuzz_9421.c - Signature-Input, Signature and Content-Digest.
 *
 * The input is up to four texts apart by LF: Signature-Input, Signature,
 * Content-Digest, another header.  What is taken is written in its canonical
 * form and taken as the same; a base that is built ends in those parameters
 * and has one line a component.
 */
#include "t/fuzz/fuzz.h"

#include "libpayhub/wire/auth_9421.h"
#include "libpayhub/wire/content_digest.h"
#include "libpayhub/wire/digest.h"

#define TEXTS 4

static struct ph_9421 all, again;

static bool
knows(void *data, struct ph_str keyid)
{
    (void) data;
    return keyid.ptr[0] < 'n';
}

/* the canonical form reads as the same signature */
static void
check_format(const struct ph_9421_signature *signature)
{
    static char          memory[2 * PH_9421_HEADER_MAX];
    struct ph_buf        buf = PH_BUF_INIT(memory);
    struct ph_9421_field fields[]
        = { { PH_STR("signature-input"), { 0 } },
            { PH_STR("signature"), PH_STR("s=:AAAA:") } };
    struct ph_9421_request request
        = { .fields = fields, .field_count = PH_COUNT(fields) };

    ph_buf_add(&buf, PH_STR("s="));
    ph_9421_params_format(signature, &buf);
    FUZZ_HOLDS(!buf.full);
    if (buf.len > PH_9421_HEADER_MAX || signature->component_params) {
        return;
    }
    fields[0].value = ph_buf_str(&buf);
    FUZZ_HOLDS(ph_9421_read(&request, &again) == PH_9421_OK);
    const struct ph_9421_signature *back = &again.signatures[0];
    FUZZ_HOLDS(back->component_count == signature->component_count);
    FUZZ_HOLDS(back->param_count == signature->param_count);
    FUZZ_HOLDS(back->params_unfit == signature->params_unfit);
    FUZZ_HOLDS(ph_str_eq(back->keyid, signature->keyid));
    FUZZ_HOLDS(ph_str_eq(back->nonce, signature->nonce));
    FUZZ_HOLDS(back->created == signature->created);
    FUZZ_HOLDS(back->expires == signature->expires);
}

static void
check_base(const struct ph_9421_signature *signature,
           const struct ph_9421_request   *request)
{
    static char   memory[PH_9421_BASE_MAX];
    static char   tail_memory[2 * PH_9421_HEADER_MAX];
    struct ph_buf base  = PH_BUF_INIT(memory);
    struct ph_buf tail  = PH_BUF_INIT(tail_memory);
    size_t        lines = 0;

    if (ph_9421_base(signature, request, &base) != PH_9421_OK) {
        return;
    }
    ph_buf_add(&tail, PH_STR("\n\"@signature-params\": "));
    ph_9421_params_format(signature, &tail);
    size_t skip = signature->component_count == 0;
    FUZZ_HOLDS(base.len + skip >= tail.len);
    FUZZ_HOLDS(memcmp(base.ptr + base.len - (tail.len - skip), tail.ptr + skip,
                      tail.len - skip)
               == 0);
    for (size_t i = 0; i < base.len; i++) {
        unsigned char ch = (unsigned char) base.ptr[i];

        lines += ch == '\n';
        FUZZ_HOLDS(ch == '\n' || ch == '\t' || (ch >= 0x20 && ch < 0x7f));
    }
    FUZZ_HOLDS(lines == signature->component_count);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ph_str names[TEXTS]
        = { PH_STR_INIT("Signature-Input"), PH_STR_INIT("Signature"),
            PH_STR_INIT("Content-Digest"), PH_STR_INIT("X-Other") };
    struct ph_9421_field            fields[TEXTS];
    struct ph_str                   rest = { (const char *) data, size };
    struct ph_str                   body = PH_STR("body");
    const struct ph_9421_signature *chosen;
    size_t                          count = 0;

    if (!ph_digest_init()) {
        abort();
    }
    while (count < TEXTS && ph_str_next(&rest, '\n', &fields[count].value)) {
        fields[count].name = names[count];
        count++;
    }
    struct ph_9421_request request = { .method    = PH_STR("POST"),
                                       .target    = PH_STR("/v1/payments?a=b"),
                                       .scheme    = PH_STR("https"),
                                       .authority = PH_STR("api.example:443"),
                                       .fields    = fields,
                                       .field_count = count,
                                       .has_body    = size % 2 == 0 };
    if (count > 2
        && ph_content_digest_check(fields[2].value, &body, 1) == PH_OK) {
        FUZZ_HOLDS(fields[2].value.len >= sizeof("sha-256=::") + 43);
    }
    if (ph_9421_read(&request, &all) != PH_9421_OK) {
        return 0;
    }
    FUZZ_HOLDS(all.count >= 1 && all.count <= PH_9421_SIGNATURES_MAX);
    for (size_t i = 0; i < all.count; i++) {
        FUZZ_HOLDS(all.signatures[i].signature.ptr != NULL);
        check_format(&all.signatures[i]);
        check_base(&all.signatures[i], &request);
    }
    enum ph_9421_fault fault = ph_9421_choose(&all, knows, NULL, &chosen);
    if (fault == PH_9421_OK
        && ph_9421_check(&all, chosen, &request, PH_ALG_ED25519, 1)
               == PH_9421_OK)
    {
        FUZZ_HOLDS(chosen->has_created && !chosen->component_params);
        FUZZ_HOLDS(ph_str_is_token(chosen->nonce, PH_NONCE_LEN_MAX));
        FUZZ_HOLDS(ph_9421_covers(chosen, PH_STR("@query")));
        FUZZ_HOLDS(!request.has_body
                   || ph_9421_covers(chosen, PH_STR("content-digest")));
    }
    return 0;
}

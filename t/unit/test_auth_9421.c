/*
 * test_auth_9421.c - RFC 9421: its own examples (appendix B.2), the grammar,
 * and what the server demands.
 */
#include "t/unit/support.h"

#include <stdio.h>
#include <stdlib.h>

#include "libpayhub/wire/auth_9421.h"
#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/content_digest.h"
#include "libpayhub/wire/digest.h"

#define CREATED "1618884473"
#define NOW UINT64_C(1618884473)
#define DIGEST_512                                                             \
    "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7B" \
    "NNyealdVLvRwEmTHWXvJwew==:"
#define BODY "{\"hello\": \"world\"}"

/* the message test-request of appendix B.2 */
static const struct ph_9421_field rfc_fields[] = {
    { PH_STR_INIT("Host"), PH_STR_INIT("example.com") },
    { PH_STR_INIT("Date"), PH_STR_INIT("Tue, 20 Apr 2021 02:07:55 GMT") },
    { PH_STR_INIT("Content-Type"), PH_STR_INIT("application/json") },
    { PH_STR_INIT("Content-Digest"), PH_STR_INIT(DIGEST_512) },
    { PH_STR_INIT("Content-Length"), PH_STR_INIT("18") },
};

/* keys of appendix B.1, signatures of B.2 */
static const struct {
    enum ph_alg alg;
    const char *material; /* base64 for the secret */
    const char *input, *signature, *base;
} rfc_rows[] = {
    { PH_ALG_RSA_PSS_SHA512,
      "-----BEGIN PUBLIC KEY-----\n"
      "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2\n"
      "+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+\n"
      "oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHq\n"
      "gDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5W\n"
      "Utzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4\n"
      "aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI\n"
      "2wIDAQAB\n-----END PUBLIC KEY-----\n",
      "sig-b23=(\"date\" \"@method\" \"@path\" \"@query\" \"@authority\" "
      "\"content-type\" \"content-digest\" \"content-length\")"
      ";created=" CREATED ";keyid=\"test-key-rsa-pss\"",
      "sig-b23=:bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5M"
      "R6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5G"
      "mydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7"
      "YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896"
      "+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==:",
      "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\"@method\": POST\n"
      "\"@path\": /foo\n\"@query\": ?param=Value&Pet=dog\n"
      "\"@authority\": example.com\n\"content-type\": application/json\n"
      "\"content-digest\": " DIGEST_512 "\n\"content-length\": 18\n"
      "\"@signature-params\": (\"date\" \"@method\" \"@path\" \"@query\" "
      "\"@authority\" \"content-type\" \"content-digest\" \"content-length\")"
      ";created=" CREATED ";keyid=\"test-key-rsa-pss\"" },
    { PH_ALG_HMAC_SHA256,
      "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6"
      "pcl8jsasjlTMtDQ==",
      "sig-b25=(\"date\" \"@authority\" \"content-type\");created=" CREATED
      ";keyid=\"test-shared-secret\"",
      "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:",
      "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\"@authority\": example.com\n"
      "\"content-type\": application/json\n\"@signature-params\": (\"date\" "
      "\"@authority\" \"content-type\");created=" CREATED
      ";keyid=\"test-shared-secret\"" },
    { PH_ALG_ED25519,
      "-----BEGIN PUBLIC KEY-----\n"
      "MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n"
      "-----END PUBLIC KEY-----\n",
      "sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" "
      "\"content-length\");created=" CREATED ";keyid=\"test-key-ed25519\"",
      "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwU"
      "Piu4A0w6vuQv5lIp5WPpBKRCw==:",
      "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\"@method\": POST\n"
      "\"@path\": /foo\n\"@authority\": example.com\n"
      "\"content-type\": application/json\n\"content-length\": 18\n"
      "\"@signature-params\": (\"date\" \"@method\" \"@path\" \"@authority\" "
      "\"content-type\" \"content-length\");created=" CREATED
      ";keyid=\"test-key-ed25519\"" },
};

#define FIELDS_MAX 12

struct message {
    struct ph_9421_field   fields[FIELDS_MAX];
    struct ph_9421_request request;
};

static void
message_add(struct message *message, const char *name, const char *value)
{
    assert_true(message->request.field_count < FIELDS_MAX);
    message->fields[message->request.field_count++]
        = (struct ph_9421_field){ ph_str_z(name), ph_str_z(value) };
}

static void
message_make(struct message *message, const char *input, const char *signature)
{
    memset(message, 0, sizeof(*message));
    message->request = (struct ph_9421_request){
        .method    = PH_STR("POST"),
        .target    = PH_STR("/foo?param=Value&Pet=dog"),
        .scheme    = PH_STR("http"),
        .authority = PH_STR("example.com"),
        .fields    = message->fields,
        .has_body  = true,
    };
    memcpy(message->fields, rfc_fields, sizeof(rfc_fields));
    message->request.field_count = PH_COUNT(rfc_fields);
    if (input != NULL) {
        message_add(message, "signature-INPUT", input);
    }
    if (signature != NULL) {
        message_add(message, "Signature", signature);
    }
}

static void
test_rfc(void **state)
{
    static struct ph_9421 all;
    static char           base_memory[PH_9421_BASE_MAX];

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rfc_rows); i++) {
        char                raw_memory[PH_SIGNATURE_MAX], secret[64];
        struct ph_buf       raw      = PH_BUF_INIT(raw_memory);
        struct ph_buf       key      = PH_BUF_INIT(secret);
        struct ph_buf       base     = PH_BUF_INIT(base_memory);
        struct ph_verifier *verifier = NULL;
        struct ph_str       material = ph_str_z(rfc_rows[i].material);
        struct message      message;

        message_make(&message, rfc_rows[i].input, rfc_rows[i].signature);
        assert_int_equal(ph_9421_read(&message.request, &all), PH_9421_OK);
        assert_int_equal(all.count, 1);
        assert_int_equal(
            ph_9421_base(&all.signatures[0], &message.request, &base),
            PH_9421_OK);
        t_same(ph_buf_str(&base), ph_str_z(rfc_rows[i].base));
        if (rfc_rows[i].alg == PH_ALG_HMAC_SHA256) {
            assert_int_equal(ph_b64_decode(&key, material), PH_OK);
            material = ph_buf_str(&key);
        }
        assert_int_equal(ph_verifier_new(&verifier, rfc_rows[i].alg, material),
                         PH_OK);
        assert_int_equal(ph_b64_decode(&raw, all.signatures[0].signature),
                         PH_OK);
        struct ph_str pieces[] = { ph_buf_str(&base) };
        assert_int_equal(
            ph_verifier_check(verifier, pieces, 1, ph_buf_str(&raw)), PH_OK);
        base.ptr[0] ^= 1;
        assert_int_equal(
            ph_verifier_check(verifier, pieces, 1, ph_buf_str(&raw)),
            PH_E_SIGNATURE);
        ph_verifier_free(verifier);
    }
}

#define FOUR "\"@method\" \"@authority\" \"@path\" \"@query\""
#define REST ";created=" CREATED ";keyid=\"k1\";nonce=\"abcdefgh\""
#define GOOD "s=(" FOUR " \"content-digest\")" REST
#define SIG "s=:AAAA:"

static bool
knows_k(void *data, struct ph_str keyid)
{
    (void) data;
    return keyid.len == 2 && keyid.ptr[0] == 'k';
}

/* read, choose, check and build: the first fault, or PH_9421_OK */
static enum ph_9421_fault
judge(const struct message *message)
{
    static struct ph_9421           all;
    static char                     memory[PH_9421_BASE_MAX];
    struct ph_buf                   base = PH_BUF_INIT(memory);
    const struct ph_9421_signature *chosen;

    enum ph_9421_fault fault = ph_9421_read(&message->request, &all);
    if (fault == PH_9421_OK) {
        fault = ph_9421_choose(&all, knows_k, NULL, &chosen);
    }
    if (fault == PH_9421_OK) {
        fault = ph_9421_check(&all, chosen, &message->request, PH_ALG_ED25519,
                              NOW);
    }
    if (fault == PH_9421_OK) {
        fault = ph_9421_base(chosen, &message->request, &base);
    }
    return fault;
}

/* clang-format off */
static const struct {
    const char        *input, *signature;
    enum ph_9421_fault want;
} rows[] = {
    { GOOD, SIG, PH_9421_OK },
    /* blanks where the RFC lets them stand */
    { " " GOOD " ", " " SIG "\t", PH_9421_OK },
    { "s=(  " FOUR "   \"content-digest\" )" REST, SIG, PH_9421_OK },
    { "s=(" FOUR " \"content-digest\");  created=" CREATED
      "; keyid=\"k1\"; nonce=\"abcdefgh\"", SIG, PH_9421_OK },
    { GOOD " ,\tt=();keyid=\"x\"", SIG ", t=:AA==:", PH_9421_OK },
    /* the fields themselves */
    { NULL, SIG, PH_9421_SYNTAX },
    { GOOD, NULL, PH_9421_SYNTAX },
    { "", SIG, PH_9421_SYNTAX },
    { GOOD, "", PH_9421_SYNTAX },
    { GOOD ",", SIG, PH_9421_SYNTAX },
    { GOOD, SIG ",", PH_9421_SYNTAX },
    { "," GOOD, SIG, PH_9421_SYNTAX },
    { GOOD " x", SIG, PH_9421_SYNTAX },
    { GOOD, SIG " x", PH_9421_SYNTAX },
    { GOOD "," GOOD, SIG, PH_9421_SYNTAX },
    { GOOD, SIG "," SIG, PH_9421_SYNTAX },
    { "S=()", SIG, PH_9421_SYNTAX },
    { "s", SIG, PH_9421_SYNTAX },
    { "s=", SIG, PH_9421_SYNTAX },
    { "s=1", SIG, PH_9421_SYNTAX },
    { "s =()", SIG, PH_9421_SYNTAX },
    { "s= ()", SIG, PH_9421_SYNTAX },
    { "s=(", SIG, PH_9421_SYNTAX },
    { "s=(\"a\"", SIG, PH_9421_SYNTAX },
    { "s=(\"a\"\"b\")", SIG, PH_9421_SYNTAX },
    { "s=(\"a\",\"b\")", SIG, PH_9421_SYNTAX },
    { "s=(\"a\"\t\"b\")", SIG, PH_9421_SYNTAX },
    { "s=(a)", SIG, PH_9421_SYNTAX },
    { "s=(1)", SIG, PH_9421_SYNTAX },
    { "s=(\"\")", SIG, PH_9421_SYNTAX },
    { "s=(\"a\\\"b\")", SIG, PH_9421_SYNTAX },
    { "s=(\"a)", SIG, PH_9421_SYNTAX },
    { "s=(\"a\x80\")", SIG, PH_9421_SYNTAX },
    { "s=(\"a\x01\")", SIG, PH_9421_SYNTAX },
    { "s=();", SIG, PH_9421_SYNTAX },
    { "s=() ;x", SIG, PH_9421_SYNTAX },
    { "s=();X=1", SIG, PH_9421_SYNTAX },
    { "s=();x=", SIG, PH_9421_SYNTAX },
    { "s=();x =1", SIG, PH_9421_SYNTAX },
    { "s=();x= 1", SIG, PH_9421_SYNTAX },
    { "s=();x=1;x=1", SIG, PH_9421_SYNTAX },
    { "s=();x=01", SIG, PH_9421_SYNTAX },
    { "s=();x=-0", SIG, PH_9421_SYNTAX },
    { "s=();x=-", SIG, PH_9421_SYNTAX },
    { "s=();x=1.", SIG, PH_9421_SYNTAX },
    { "s=();x=1.50", SIG, PH_9421_SYNTAX },
    { "s=();x=1.0000", SIG, PH_9421_SYNTAX },
    { "s=();x=-0.0", SIG, PH_9421_SYNTAX },
    { "s=();x=1234567890123.1", SIG, PH_9421_SYNTAX },
    { "s=();x=1234567890123456", SIG, PH_9421_SYNTAX },
    { "s=();x=?1", SIG, PH_9421_SYNTAX },
    { "s=();x=?2", SIG, PH_9421_SYNTAX },
    { "s=();x=?", SIG, PH_9421_SYNTAX },
    { "s=();x=\"a", SIG, PH_9421_SYNTAX },
    { "s=();x=\"a\\n\"", SIG, PH_9421_SYNTAX },
    { "s=();x=\"a\\", SIG, PH_9421_SYNTAX },
    { "s=();x=:AAAA", SIG, PH_9421_SYNTAX },
    { "s=();x=:A-A:", SIG, PH_9421_SYNTAX },
    { "s=();x=@1659578233", SIG, PH_9421_SYNTAX },
    { GOOD, "s=AAAA", PH_9421_SYNTAX },
    { GOOD, "s=\"AAAA\"", PH_9421_SYNTAX },
    { GOOD, "s=:AAAA:;x", PH_9421_SYNTAX },
    { GOOD, "s=:AA AA:", PH_9421_SYNTAX },
    /* labels */
    { GOOD, "t=:AAAA:", PH_9421_LABELS },
    { GOOD, SIG ",t=:AAAA:", PH_9421_LABELS },
    { GOOD ",t=()", SIG, PH_9421_LABELS },
    /* parameters */
    { "s=(" FOUR " \"content-digest\")" REST ";expires=" CREATED
      ";alg=\"ed25519\";tag=\"x\";other=-1.5;flag", SIG, PH_9421_OK },
    { "s=(" FOUR " \"content-digest\")" REST ";no=?0;b=:AAAA:;t=*a/b:c;"
      "n=-12.25;s=\"a\\\"b\\\\\"", SIG, PH_9421_OK },
    { "s=(" FOUR " \"content-digest\");keyid=\"k1\";nonce=\"abcdefgh\"", SIG,
      PH_9421_PARAMETER },
    { "s=(" FOUR " \"content-digest\");created=" CREATED ";keyid=\"k1\"", SIG,
      PH_9421_PARAMETER },
    { "s=(" FOUR " \"content-digest\");created=" CREATED
      ";nonce=\"abcdefgh\"", SIG, PH_9421_UNKNOWN },
    { "s=();created=\"" CREATED "\";keyid=\"k1\";nonce=\"abcdefgh\"", SIG,
      PH_9421_PARAMETER },
    { "s=();created=-1;keyid=\"k1\";nonce=\"abcdefgh\"", SIG,
      PH_9421_PARAMETER },
    { "s=();created=1.5;keyid=\"k1\";nonce=\"abcdefgh\"", SIG,
      PH_9421_PARAMETER },
    { "s=();created;keyid=\"k1\";nonce=\"abcdefgh\"", SIG, PH_9421_PARAMETER },
    { "s=();created=100000000000;keyid=\"k1\";nonce=\"abcdefgh\"", SIG,
      PH_9421_PARAMETER },
    { "s=();created=1;keyid=\"k1\";nonce=abcdefgh", SIG, PH_9421_PARAMETER },
    { "s=();created=1;keyid=\"k1\";nonce=\"abcdefg\"", SIG, PH_9421_PARAMETER },
    { "s=();created=1;keyid=\"k1\";nonce=\"abcdefg+\"", SIG,
      PH_9421_PARAMETER },
    { "s=();created=1;keyid=\"k1\";nonce=\"abc\\\\defgh\"", SIG,
      PH_9421_PARAMETER },
    { "s=()" REST ";expires=\"1\"", SIG, PH_9421_PARAMETER },
    { "s=()" REST ";tag=1", SIG, PH_9421_PARAMETER },
    { "s=()" REST ";alg=ed25519", SIG, PH_9421_PARAMETER },
    { "s=();created=1;keyid=k1;nonce=\"abcdefgh\"", SIG, PH_9421_UNKNOWN },
    { "s=();created=1;keyid=\"z1\";nonce=\"abcdefgh\"", SIG, PH_9421_UNKNOWN },
    { "s=();created=1;keyid=\"k\\\\\";nonce=\"abcdefgh\"", SIG,
      PH_9421_UNKNOWN },
    { "s=()" REST ";alg=\"hmac-sha256\"", SIG, PH_9421_ALG },
    { "s=()" REST ";alg=\"none\"", SIG, PH_9421_ALG },
    { "s=()" REST ";alg=\"\"", SIG, PH_9421_ALG },
    { "s=()" REST ";expires=1618884472", SIG, PH_9421_EXPIRED },
    { "s=();created=1700000000;keyid=\"k1\";nonce=\"abcdefgh\""
      ";expires=1699999999", SIG, PH_9421_EXPIRED },
    /* coverage */
    { "s=()" REST, SIG, PH_9421_NOT_COVERED },
    { "s=(" FOUR ")" REST, SIG, PH_9421_NOT_COVERED },
    { "s=(\"@authority\" \"@path\" \"@query\" \"content-digest\")" REST, SIG,
      PH_9421_NOT_COVERED },
    { "s=(\"@method\" \"@path\" \"@query\" \"content-digest\")" REST, SIG,
      PH_9421_NOT_COVERED },
    { "s=(\"@method\" \"@authority\" \"@query\" \"content-digest\")" REST, SIG,
      PH_9421_NOT_COVERED },
    { "s=(\"@method\" \"@authority\" \"@path\" \"content-digest\")" REST, SIG,
      PH_9421_NOT_COVERED },
    { "s=(\"@method\" \"@target-uri\" \"content-digest\")" REST, SIG,
      PH_9421_NOT_COVERED },
    /* components */
    { "s=(" FOUR " \"content-digest\" \"date\" \"content-type\" \"@scheme\" "
      "\"@target-uri\" \"@request-target\")" REST, SIG, PH_9421_OK },
    { "s=(" FOUR " \"content-digest\" \"date\" \"date\")" REST, SIG,
      PH_9421_COMPONENT },
    { "s=(" FOUR " \"content-digest\" \"x-none\")" REST, SIG,
      PH_9421_COMPONENT },
    { "s=(" FOUR " \"content-digest\" \"Date\")" REST, SIG,
      PH_9421_COMPONENT },
    { "s=(" FOUR " \"content-digest\" \"@status\")" REST, SIG,
      PH_9421_COMPONENT },
    { "s=(" FOUR " \"content-digest\" \"@signature-params\")" REST, SIG,
      PH_9421_COMPONENT },
    { "s=(" FOUR " \"content-digest\" \"date: x\")" REST, SIG,
      PH_9421_COMPONENT },
    { "s=(" FOUR " \"content-digest\";sf)" REST, SIG,
      PH_9421_COMPONENT_PARAMS },
    { "s=(" FOUR " \"content-digest\" \"@query-param\";name=\"Pet\")" REST,
      SIG, PH_9421_COMPONENT_PARAMS },
    { "s=(\"@method\";req)" REST, SIG, PH_9421_COMPONENT_PARAMS },
    /* several signatures */
    { GOOD ",t=(\"signature\";key=\"s\");keyid=\"proxy\"",
      SIG ",t=:BBBB:", PH_9421_OK },
    { "t=(\"signature\";key=\"s\");keyid=\"proxy\", " GOOD,
      SIG ",t=:BBBB:", PH_9421_OK },
    { GOOD ",t=();keyid=\"k2\"", SIG ",t=:BBBB:", PH_9421_SEVERAL },
    { GOOD ",t=();keyid=\"k1\"", SIG ",t=:BBBB:", PH_9421_SEVERAL },
    /* limits */
    { "a=(),b=(),c=(),d=(),e=(),f=(),g=(),h=(),i=()", SIG, PH_9421_TOO_LONG },
    { "s=(\"a\" \"b\" \"c\" \"d\" \"e\" \"f\" \"g\" \"h\" \"i\" \"j\" \"k\" "
      "\"l\" \"m\" \"n\" \"o\" \"p\" \"q\")", SIG, PH_9421_TOO_LONG },
    { "s=();a;b;c;d;e;f;g;h;i", SIG, PH_9421_TOO_LONG },
    { "s=(\"12345678901234567890123456789012345678901234567890"
      "123456789012345\")", SIG, PH_9421_TOO_LONG },
    { "s2345678901234567890123456789012345678901234567890"
      "123456789012345=()", SIG, PH_9421_TOO_LONG },
};
/* clang-format on */

static void
test_faults(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct message message;

        message_make(&message, rows[i].input, rows[i].signature);
        enum ph_9421_fault got = judge(&message);
        if (got != rows[i].want) {
            print_error("row %zu: %s | %s\n", i,
                        rows[i].input != NULL ? rows[i].input : "-",
                        rows[i].signature != NULL ? rows[i].signature : "-");
        }
        t_same(ph_9421_text(got), ph_9421_text(rows[i].want));
    }
}

/* of several known ones the first is to be judged, of none the first at all */
static void
test_which_is_chosen(void **state)
{
    static const struct {
        const char        *input, *signature;
        enum ph_9421_fault fault;
        const char        *label;
    } each[] = {
        { "a=();keyid=\"x\", b=();keyid=\"y\"",
          "a=:AAAA:,b=:AAAA:", PH_9421_UNKNOWN, "a" },
        { "a=();keyid=\"x\", b=();keyid=\"k1\"",
          "a=:AAAA:,b=:AAAA:", PH_9421_OK, "b" },
        { "a=();keyid=\"x\", b=();keyid=\"k1\", c=();keyid=\"k2\"",
          "a=:AAAA:,b=:AAAA:,c=:AAAA:", PH_9421_SEVERAL, "b" },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(each); i++) {
        static struct ph_9421           all;
        const struct ph_9421_signature *chosen = NULL;
        struct message                  message;

        message_make(&message, each[i].input, each[i].signature);
        assert_int_equal(ph_9421_read(&message.request, &all), PH_9421_OK);
        assert_int_equal(ph_9421_choose(&all, knows_k, NULL, &chosen),
                         each[i].fault);
        t_same(chosen->label, ph_str_z(each[i].label));
    }
}

/* the statuses that the API promises */
static void
test_statuses(void **state)
{
    (void) state;
    assert_int_equal(ph_9421_status(PH_9421_SYNTAX), 401);
    assert_int_equal(ph_9421_status(PH_9421_LABELS), 401);
    assert_int_equal(ph_9421_status(PH_9421_NOT_COVERED), 401);
    assert_int_equal(ph_9421_status(PH_9421_UNKNOWN), 401);
    assert_int_equal(ph_9421_status(PH_9421_COMPONENT), 401);
    assert_int_equal(ph_9421_status(PH_9421_COMPONENT_PARAMS), 400);
    assert_int_equal(ph_9421_status(PH_9421_SEVERAL), 400);
    assert_int_equal(ph_9421_status(PH_9421_TWICE), 400);
    assert_int_equal(ph_9421_status(PH_9421_TOO_LONG), 400);
}

static void
test_headers(void **state)
{
    static const struct {
        const char        *name, *value;
        enum ph_9421_fault want;
    } more[] = {
        { "X-Other", "1", PH_9421_OK },
        { "SIGNATURE", SIG, PH_9421_TWICE },
        { "Signature-Input", GOOD, PH_9421_TWICE },
        { "content-digest", DIGEST_512, PH_9421_TWICE },
        { "Idempotency-Key", "abc", PH_9421_NOT_COVERED },
        { "Idempotency-Key", "", PH_9421_NOT_COVERED },
    };
    struct message message;

    (void) state;
    for (size_t i = 0; i < PH_COUNT(more); i++) {
        message_make(&message, GOOD, SIG);
        message_add(&message, more[i].name, more[i].value);
        assert_int_equal(judge(&message), more[i].want);
    }
    message_make(&message,
                 "s=(" FOUR " \"content-digest\" \"idempotency-key\")" REST,
                 SIG);
    assert_int_equal(judge(&message), PH_9421_COMPONENT); /* not sent */
    message_add(&message, "Idempotency-Key", "abc");
    assert_int_equal(judge(&message), PH_9421_OK);
    message_add(&message, "idempotency-key", "abc");
    assert_int_equal(judge(&message), PH_9421_TWICE);
    /* without a body no digest is demanded */
    message_make(&message, "s=(" FOUR ")" REST, SIG);
    message.request.has_body = false;
    assert_int_equal(judge(&message), PH_9421_OK);
    message.request.field_count = PH_9421_FIELDS_MAX + 1;
    assert_int_equal(judge(&message), PH_9421_TOO_LONG);
}

/* 4096 bytes are read, 4097 refused */
static void
test_lengths(void **state)
{
    static char    input[PH_9421_HEADER_MAX + 2];
    struct message message;

    (void) state;
    for (size_t over = 0; over < 2; over++) {
        size_t len = PH_9421_HEADER_MAX + over;

        memset(input, ' ', len);
        memcpy(input, GOOD, sizeof(GOOD) - 1);
        input[len] = '\0';
        message_make(&message, input, SIG);
        assert_int_equal(judge(&message),
                         over == 0 ? PH_9421_OK : PH_9421_TOO_LONG);
    }
}

/* each derived component and the joining of a header's lines */
static void
test_base_lines(void **state)
{
    static const struct {
        const char *component, *scheme, *authority, *target, *line;
    } lines[] = {
        { "@authority", "http", "EXAMPLE.com", "/", "example.com" },
        { "@authority", "http", "example.com:80", "/", "example.com" },
        { "@authority", "https", "example.com:443", "/", "example.com" },
        { "@authority", "https", "example.com:80", "/", "example.com:80" },
        { "@authority", "http", "example.com:443", "/", "example.com:443" },
        { "@authority", "http", "[::1]:8080", "/", "[::1]:8080" },
        { "@path", "http", "h", "/a/%7Eb?x=/y", "/a/%7Eb" },
        { "@path", "http", "h", "/", "/" },
        { "@query", "http", "h", "/", "?" },
        { "@query", "http", "h", "/?", "?" },
        { "@query", "http", "h", "/?a=1&b=%20?", "?a=1&b=%20?" },
        { "@scheme", "https", "h", "/", "https" },
        { "@request-target", "http", "h", "/a?b", "/a?b" },
        { "@target-uri", "https", "H:443", "/a?b", "https://h/a?b" },
        { "x-list", "http", "h", "/", "one, two words, , three" },
    };
    static struct ph_9421 all;

    (void) state;
    for (size_t i = 0; i < PH_COUNT(lines); i++) {
        char           input[128], want[256], memory[512];
        struct ph_buf  base = PH_BUF_INIT(memory);
        struct message message;

        (void) snprintf(input, sizeof(input), "s=(\"%s\");a=1",
                        lines[i].component);
        (void) snprintf(want, sizeof(want),
                        "\"%s\": %s\n\"@signature-params\": %s",
                        lines[i].component, lines[i].line, input + 2);
        message_make(&message, input, SIG);
        message_add(&message, "X-List", "  one\t");
        message_add(&message, "x-list", "two words");
        message_add(&message, "x-LIST", "");
        message_add(&message, "X-List", "three");
        message.request.scheme    = ph_str_z(lines[i].scheme);
        message.request.authority = ph_str_z(lines[i].authority);
        message.request.target    = ph_str_z(lines[i].target);
        assert_int_equal(ph_9421_read(&message.request, &all), PH_9421_OK);
        assert_int_equal(
            ph_9421_base(&all.signatures[0], &message.request, &base),
            PH_9421_OK);
        t_same(ph_buf_str(&base), ph_str_z(want));
    }
}

/* nothing may smuggle a line, or another reading, into the base */
static void
test_base_refusals(void **state)
{
    struct message message;

    (void) state;
    message_make(&message, "s=(" FOUR " \"content-digest\" \"x-a\")" REST, SIG);
    message_add(&message, "X-A", "1\n\"@method\": GET");
    assert_int_equal(judge(&message), PH_9421_COMPONENT);
    message_make(&message, "s=(" FOUR " \"content-digest\" \"x-a\")" REST, SIG);
    message_add(&message, "X-A", "\xc3\xa4");
    assert_int_equal(judge(&message), PH_9421_COMPONENT);
    message_make(&message, GOOD, SIG);
    message.request.target = PH_STR("/a\nb");
    assert_int_equal(judge(&message), PH_9421_COMPONENT);
    message_make(&message, GOOD, SIG);
    message.request.target = PH_STR("*");
    assert_int_equal(judge(&message), PH_9421_COMPONENT);
    message_make(&message, GOOD, SIG);
    message.request.authority = PH_STR("");
    assert_int_equal(judge(&message), PH_9421_COMPONENT);
    message_make(&message, GOOD, SIG);
    message.request.target
        = (struct ph_str){ calloc(1, PH_9421_BASE_MAX), PH_9421_BASE_MAX };
    char *text = (char *) (uintptr_t) message.request.target.ptr;
    memset(text, 'a', PH_9421_BASE_MAX);
    text[0] = '/';
    assert_int_equal(judge(&message), PH_9421_TOO_LONG);
    free(text);
}

static void
test_content_digest(void **state)
{
    static const char sha_256[]
        = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    static const struct {
        const char *field;
        enum ph_rc  want;
    } fields[] = {
        { "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:", PH_OK },
        { DIGEST_512, PH_OK },
        { DIGEST_512
          " , sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
          PH_OK },
        { "md5=:AAAA:, " DIGEST_512, PH_OK },
        { "md5=:AAAA:", PH_E_UNKNOWN },
        { "SHA-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
          PH_E_SYNTAX },
        { "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE:",
          PH_E_SIGNATURE },
        { "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPF=:",
          PH_E_SIGNATURE }, /* an unused bit is set */
        { "sha-256=:Y48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
          PH_E_SIGNATURE },
        { "sha-256=::", PH_E_SIGNATURE },
        { "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:, "
          "sha-512=:AAAA:",
          PH_E_SIGNATURE },
        { "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:, "
          "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
          PH_E_DUPLICATE },
        { "sha-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=", PH_E_SYNTAX },
        { "sha-256", PH_E_SYNTAX },
        { "", PH_E_SYNTAX },
        { "sha-256=:AAAA:,", PH_E_SYNTAX },
        { "sha-256=:AAAA:;x=1", PH_E_SYNTAX },
        { "a=:A:,b=:A:,c=:A:,d=:A:,e=:A:,f=:A:,g=:A:,h=:A:,i=:A:", PH_E_RANGE },
    };
    static char   over[PH_CONTENT_DIGEST_MAX + 1];
    char          memory[PH_CONTENT_DIGEST_FORMAT_MAX];
    struct ph_buf buf    = PH_BUF_INIT(memory);
    struct ph_str body[] = { PH_STR("{\"hello\""), PH_STR(": \"world\"}") };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(fields); i++) {
        assert_int_equal(
            ph_content_digest_check(ph_str_z(fields[i].field), body, 2),
            fields[i].want);
    }
    memset(over, ' ', sizeof(over));
    memcpy(over, sha_256, sizeof(sha_256) - 1);
    assert_int_equal(
        ph_content_digest_check(ph_str_make(over, sizeof(over) - 1), body, 2),
        PH_OK);
    assert_int_equal(
        ph_content_digest_check(ph_str_make(over, sizeof(over)), body, 2),
        PH_E_RANGE);
    assert_true(ph_content_digest_format(&buf, body, 2));
    t_same(ph_buf_str(&buf), ph_str_z(sha_256));
}

static int
group_setup(void **state)
{
    (void) state;
    return ph_digest_init() ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content_digest),
        cmocka_unit_test(test_rfc),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_which_is_chosen),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_base_lines),
        cmocka_unit_test(test_base_refusals),
    };

    return cmocka_run_group_tests(tests, group_setup, NULL);
}

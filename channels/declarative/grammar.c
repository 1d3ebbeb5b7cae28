/*
 * grammar.c - the grammar of a channel file as tables: the compiler walks them,
 * and docs/schema/channel.schema.json is made of them.
 */
#include <stddef.h>

#include "channels/declarative/check.h"
#include "channels/declarative/compile.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

#define OF_REQUEST (ON_ACCOUNT | ON_ORDER | ON_CLOCK | ON_NONCE | ON_METHOD)
#define OF_REFUND (OF_REQUEST | ON_REFUND)
#define OF_NOTICE (ON_ACCOUNT | ON_CLOCK | ON_BODY | ON_TOLD)
#define OF_ANSWER (OF_NOTICE | ON_ANSWER)
#define OF_SIGN (OF_REFUND | ON_BODY | ON_TARGET | ON_ANSWER | ON_TOLD)
#define OF_SENT (ON_LET | ON_BODY | ON_TARGET | ON_SIGN)

/* clang-format off */
const struct grammar_name grammar_names_channel = {
    LOWER, LOWER DIGITS "_", 2, 32,
    "2 to 32 of a-z, 0-9, _, a letter first", "^[a-z][a-z0-9_]{1,31}$",
};
const struct grammar_name grammar_names_plain = {
    LOWER, LOWER DIGITS "_", 1, 32,
    "1 to 32 of a-z, 0-9, _, a letter first", "^[a-z][a-z0-9_]{0,31}$",
};
const struct grammar_name grammar_names_header = {
    UPPER LOWER, UPPER LOWER DIGITS "-", 1, 64,
    "a header's name", "^[A-Za-z][A-Za-z0-9-]{0,63}$",
};
const struct grammar_name grammar_names_field = {
    UPPER LOWER "_", UPPER LOWER DIGITS "_.[]-", 1, 64,
    "1 to 64 of A-Z, a-z, 0-9, _ . [ ] -, a letter or _ first",
    "^[A-Za-z_][A-Za-z0-9_.\\[\\]-]{0,63}$",
};

const char *const grammar_ops[PH_OP_COUNT + 1] = {
    "", "create", "query", "close", "reverse", "refund", "refund_query", NULL,
};
/* as enum ph_result_class */
const char *const grammar_classes[] = {
    "unknown", "succeeded", "failed", "wait_user", "closed", "not_found",
    "not_sent", NULL,
};
const char *const grammar_kinds[] = {
    "text", "url", "yesno", "private_key", "public_key", "cert", "secret",
    "base64", NULL,
};
static const char *const forms[]   = { "form", "json", "xml", NULL };
static const char *const joins[]   = { "fields", "in", "inner", NULL };
static const char *const empties[] = { "drop", "keep", NULL };
static const char *const pairs[]   = { "k=v", "k", "v", "kv", NULL };
/* as enum ph_action_type, from its second */
static const char *const actions[] = {
    "qr_code", "redirect", "form", "app", "jsapi", "client_secret", NULL,
};

#define TEXT_(name_, struct_, member_, about_)                                 \
    { .name = name_, .type = G_TEXT, .at = offsetof(struct struct_, member_),  \
      .about = about_ }
#define TEMPLATE_(name_, struct_, member_, about_)                             \
    { .name = name_, .type = G_TEMPLATE,                                       \
      .at = offsetof(struct struct_, member_), .more = ON_LET,                 \
      .about = about_ }
#define OBJECT_(name_, struct_, member_, kind_, about_)                        \
    { .name = name_, .type = G_OBJECT, .at = offsetof(struct struct_, member_),\
      .kind = &(kind_), .more = ON_LET, .about = about_ }
#define END_ { .name = NULL }

/* ---- small objects ---- */

static const struct grammar_member title_members[] = {
    TEXT_("en", declared_title, en, "in English"),
    TEXT_("zh", declared_title, zh, "in Chinese"),
    END_
};
static const struct grammar_kind kind_title = {
    "title", sizeof(struct declared_title), title_members, NULL, NULL
};

static const struct grammar_member among_members[] = {
    { .name = "from", .type = G_TEMPLATE, .is_required = true, .more = ON_LET,
      .at = offsetof(struct declared_among, from), .about = "what is looked at" },
    { .name = "is", .type = G_TEXTS, .is_required = true,
      .at = offsetof(struct declared_among, is), .about = "when it is one of these" },
    END_
};
static const struct grammar_kind kind_among = {
    "among", sizeof(struct declared_among), among_members, NULL, NULL
};

static const struct grammar_member code_members[] = {
    { .name = "from", .type = G_TEMPLATE, .is_required = true, .more = ON_LET,
      .at = offsetof(struct declared_among, from), .about = "the answer's code" },
    { .name = "ok", .type = G_TEXTS, .is_required = true,
      .at = offsetof(struct declared_among, is), .about = "codes of calls that worked" },
    END_
};
static const struct grammar_kind kind_code = {
    "code", sizeof(struct declared_among), code_members, NULL, NULL
};

#define MAP_SCHEMA                                                             \
    "{\"type\":\"object\",\"minProperties\":1,\"maxProperties\":256,"          \
    "\"propertyNames\":{\"type\":\"string\",\"minLength\":1},"                                     \
    "\"additionalProperties\":{\"$ref\":\"#/$defs/state_class\"}}"

static const struct grammar_member status_members[] = {
    { .name = "from", .type = G_TEMPLATE, .is_required = true, .more = ON_LET,
      .at = offsetof(struct declared_map, from), .about = "the word of its state" },
    { .name = "map", .type = G_OWN, .is_required = true, .read = compile_words,
      .schema = MAP_SCHEMA, .about = "what each word proves; any other: unknown" },
    END_
};
static const struct grammar_kind kind_status = {
    "status", sizeof(struct declared_map), status_members, NULL, NULL
};

#define FIELDS_SCHEMA "{\"$ref\":\"#/$defs/fields\"}"

static const struct grammar_member action_members[] = {
    { .name = "type", .type = G_WORD, .is_required = true, .words = actions,
      .first = PH_ACTION_QR_CODE, .at = offsetof(struct declared_action, type),
      .about = "what the payer is handed" },
    TEMPLATE_("data", declared_action, data, "a text; none where it is empty"),
    { .name = "fields", .type = G_OWN, .read = compile_fields, .more = ON_LET,
      .at = offsetof(struct declared_action, fields), .schema = FIELDS_SCHEMA,
      .about = "an object, instead of a text" },
    END_
};
static const struct grammar_kind kind_action = {
    "action", sizeof(struct declared_action), action_members, NULL,
    check_action
};

static const struct grammar_member ack_members[] = {
    { .name = "body", .type = G_TEXT, .is_required = true,
      .at = offsetof(struct declared_message, ack_body),
      .about = "what tells the channel that we have it" },
    { .name = "type", .type = G_TEXT, .is_required = true,
      .at = offsetof(struct declared_message, ack_type), .about = "its media type" },
    END_
};
static const struct grammar_kind kind_ack = {
    "ack", sizeof(struct declared_message), ack_members, NULL, NULL
};

/* ---- recipes ---- */

static const struct grammar_member sign_members[] = {
    { .name = "join", .type = G_WORD, .words = joins, .first = JOIN_FIELDS,
      .at = offsetof(struct declared_sign, join),
      .about = "our fields, or the members of what came or was opened" },
    { .name = "sort", .type = G_YES, .at = offsetof(struct declared_sign, sorts),
      .about = "by name, in the order of bytes" },
    { .name = "skip", .type = G_TEXTS, .at = offsetof(struct declared_sign, skip),
      .about = "names that are left out" },
    { .name = "empty", .type = G_WORD, .words = empties,
      .at = offsetof(struct declared_sign, keeps_empty),
      .about = "those without a value; drop unless said" },
    { .name = "pair", .type = G_WORD, .words = pairs,
      .at = offsetof(struct declared_sign, pair), .about = "k=v unless said" },
    TEXT_("between", declared_sign, between, "& unless said"),
    { .name = "head", .type = G_TEMPLATE, .at = offsetof(struct declared_sign, head),
      .about = "in front of the joined" },
    { .name = "tail", .type = G_TEMPLATE, .at = offsetof(struct declared_sign, tail),
      .about = "behind the joined" },
    { .name = "text", .type = G_TEMPLATE, .at = offsetof(struct declared_sign, text),
      .about = "instead of a join" },
    { .name = "then", .type = G_OWN, .read = compile_then,
      .schema = "{\"type\":\"array\",\"minItems\":1,\"maxItems\":8,"
                "\"items\":{\"$ref\":\"#/$defs/filter\"}}",
      .about = "filters over all of it, in this order" },
    END_
};
const struct grammar_kind grammar_sign = {
    "sign", sizeof(struct declared_sign), sign_members, begin_sign, check_sign
};

static const struct grammar_member verify_members[] = {
    { .name = "of", .type = G_OWN, .is_required = true, .read = compile_verify_of,
      .more = ON_LET,
      .schema = "{\"anyOf\":[{\"$ref\":\"#/$defs/name\"},{\"$ref\":\"#/$defs/template\"}]}",
      .about = "what was signed: a recipe's name, or a template" },
    { .name = "alg", .type = G_WORD, .is_required = true, .words = declared_alg_names,
      .at = offsetof(struct declared_verify, alg), .about = "how" },
    { .name = "key", .type = G_OWN, .read = compile_verify_key,
      .schema = "{\"type\":\"string\",\"pattern\":\"^account\\\\.[a-z][a-z0-9_]{0,31}$\"}",
      .about = "the account's key that it is checked with" },
    { .name = "old_key", .type = G_OWN, .read = compile_verify_old_key,
      .schema = "{\"type\":\"string\",\"pattern\":\"^account\\\\.[a-z][a-z0-9_]{0,31}$\"}",
      .about = "the key before, tried next where an account has it" },
    { .name = "signature", .type = G_TEMPLATE, .is_required = true, .more = ON_LET,
      .at = offsetof(struct declared_verify, signature), .about = "its bytes" },
    TEMPLATE_("at", declared_verify, at, "when it was signed, a time"),
    { .name = "window", .type = G_NUMBER, .low = 1, .high = DECLARED_WINDOW_MAX,
      .at = offsetof(struct declared_verify, window_s),
      .about = "seconds that it may be away from now, both ways" },
    { .name = "same", .type = G_OWN, .read = compile_same, .more = ON_LET,
      .schema = "{\"type\":\"array\",\"minItems\":1,\"maxItems\":8,\"items\":"
                "{\"type\":\"array\",\"minItems\":2,\"maxItems\":2,\"items\":"
                "{\"$ref\":\"#/$defs/template\"}}}",
      .about = "pairs that have to be the same, and not empty" },
    END_
};
const struct grammar_kind grammar_verify = {
    "verify", sizeof(struct declared_verify), verify_members, NULL,
    check_verify
};

/* ---- what is told ---- */

static const struct grammar_member echo_members[] = {
    TEMPLATE_("number", declared_told, number, "our number"),
    TEMPLATE_("trade_no", declared_told, trade_no, "the channel's number"),
    TEMPLATE_("amount", declared_told, amount, "in minor units"),
    TEMPLATE_("currency", declared_told, currency, "ISO 4217"),
    TEMPLATE_("seller", declared_told, seller, "who was paid"),
    TEMPLATE_("app", declared_told, app, "for which app"),
    TEMPLATE_("paid_at", declared_told, paid_at, "a time"),
    OBJECT_("status", declared_told, status, kind_status, "the state of it"),
    END_
};
static const struct grammar_kind kind_echo = {
    "echo", sizeof(struct declared_told), echo_members, NULL, NULL
};

static const struct grammar_member refund_members[] = {
    { .name = "echo", .type = G_INCLUDE, .kind = &kind_echo },
    TEMPLATE_("order_number", declared_told, order_number,
              "our number of the payment that it is of"),
    END_
};
static const struct grammar_kind kind_refund = {
    "refund", sizeof(struct declared_told), refund_members, NULL, check_refund
};

#define ERROR_SCHEMA                                                           \
    "{\"type\":\"object\",\"additionalProperties\":false,"                     \
    "\"required\":[\"from\",\"map\"],\"properties\":{"                         \
    "\"from\":{\"$ref\":\"#/$defs/template\"},"                                \
    "\"map\":{\"type\":\"object\",\"minProperties\":1,\"maxProperties\":256,"  \
    "\"propertyNames\":{\"type\":\"string\",\"minLength\":1},"                                     \
    "\"additionalProperties\":{\"$ref\":\"#/$defs/code_row\"}}}}"

static const struct grammar_member told_members[] = {
    { .name = "echo", .type = G_INCLUDE, .kind = &kind_echo },
    OBJECT_("code", declared_told, code, kind_code, "did the call work"),
    { .name = "error", .type = G_OWN, .read = compile_error, .more = ON_LET,
      .schema = ERROR_SCHEMA, .about = "what each code proves; any other: unknown" },
    TEMPLATE_("message", declared_told, message, "for people"),
    { .name = "action", .type = G_OBJECT, .kind = &kind_action,
      .at = offsetof(struct declared_told, action),
      .more = ON_LET | ON_NONCE | ON_SIGN | ON_ORDER | ON_METHOD,
      .about = "taken with wait_user alone" },
    OBJECT_("refund", declared_told, refund, kind_refund,
            "stands instead where a refund is told"),
    END_
};
const struct grammar_kind grammar_told = {
    "told", sizeof(struct declared_told), told_members, NULL, check_told
};

static const struct grammar_member open_members[] = {
    { .name = "from", .type = G_TEMPLATE, .is_required = true, .more = ON_LET,
      .at = offsetof(struct declared_open, from), .about = "the text of it" },
    { .name = "read", .type = G_WORD, .is_required = true, .words = forms,
      .first = FORM_FORM, .at = offsetof(struct declared_open, read),
      .about = "its form" },
    END_
};
static const struct grammar_kind kind_open = {
    "open", sizeof(struct declared_open), open_members, NULL, NULL
};

#define LETS_SCHEMA                                                            \
    "{\"type\":\"array\",\"maxItems\":64,\"items\":{\"type\":\"array\","       \
    "\"minItems\":2,\"maxItems\":2,\"prefixItems\":["                          \
    "{\"$ref\":\"#/$defs/name\"},{\"$ref\":\"#/$defs/template\"}]}}"
#define LETS_(struct_)                                                         \
    { .name = "let", .type = G_OWN, .read = compile_lets, .more = ON_LET,      \
      .at = offsetof(struct struct_, lets), .schema = LETS_SCHEMA,             \
      .about = "texts with names, each may name those above it" }
#define VERIFY_SCHEMA                                                          \
    "{\"anyOf\":[{\"$ref\":\"#/$defs/verify\"},"                               \
    "{\"type\":\"string\",\"pattern\":\"^none: .{3}\"}]}"

static const struct grammar_member reading_members[] = {
    { .name = "read", .type = G_WORD, .is_required = true, .words = forms,
      .first = FORM_FORM, .at = offsetof(struct declared_message, read),
      .about = "the form of the body" },
    LETS_(declared_message),
    OBJECT_("open", declared_message, open, kind_open,
            "what is packed inside, for {inner.*}"),
    END_
};
static const struct grammar_kind kind_reading = {
    "reading", sizeof(struct declared_message), reading_members, NULL, NULL
};

static const struct grammar_member answer_members[] = {
    { .name = "reading", .type = G_INCLUDE, .kind = &kind_reading },
    { .name = "verify", .type = G_OWN, .is_required = true, .read = compile_verify,
      .at = offsetof(struct declared_message, verify), .schema = VERIFY_SCHEMA,
      .about = "how an answer is verified, or \"none: REASON\"" },
    { .name = "told", .type = G_INCLUDE, .kind = &grammar_told,
      .at = offsetof(struct declared_message, told) },
    END_
};
static const struct grammar_kind kind_answer = {
    "answer", sizeof(struct declared_message), answer_members, begin_message,
    check_answer
};

static const struct grammar_member notice_members[] = {
    { .name = "reading", .type = G_INCLUDE, .kind = &kind_reading },
    { .name = "verify", .type = G_OWN, .is_required = true, .read = compile_verify,
      .at = offsetof(struct declared_message, verify),
      .schema = "{\"$ref\":\"#/$defs/verify\"}", .about = "how a notice is verified" },
    { .name = "id", .type = G_TEMPLATE, .is_required = true, .more = ON_LET,
      .at = offsetof(struct declared_message, id),
      .about = "the channel's number of the notice: it counts once" },
    { .name = "echo", .type = G_INCLUDE, .kind = &kind_echo,
      .at = offsetof(struct declared_message, told) },
    { .name = "refund", .type = G_OBJECT, .kind = &kind_refund, .more = ON_LET,
      .at = offsetof(struct declared_message, told.refund),
      .about = "stands instead where a refund is told" },
    OBJECT_("refund_when", declared_message, refund_when, kind_among,
            "when it tells of a refund"),
    OBJECT_("ignore", declared_message, ignore, kind_among,
            "when it is nothing to us"),
    { .name = "ack", .type = G_INLINE, .is_required = true, .kind = &kind_ack,
      .about = "the answer that ends its repeats" },
    END_
};
static const struct grammar_kind kind_notice = {
    "notice", sizeof(struct declared_message), notice_members, begin_message,
    check_notice
};

/* ---- requests ---- */

static const char *const http_words[] = { "GET", "POST", "PUT", "DELETE", NULL };

static const struct grammar_member request_members[] = {
    LETS_(declared_request),
    { .name = "http", .type = G_OWN, .is_required = true, .read = read_http,
      .at = offsetof(struct declared_request, http),
      .schema = "{\"enum\":[\"GET\",\"POST\",\"PUT\",\"DELETE\"]}",
      .about = "GET, POST, PUT or DELETE" },
    { .name = "url", .type = G_TEMPLATE, .is_required = true, .more = ON_LET,
      .at = offsetof(struct declared_request, url),
      .about = "its host from the account or plain text, all else by |url" },
    { .name = "headers", .type = G_OWN, .read = compile_headers, .more = OF_SENT,
      .schema = "{\"type\":\"object\",\"minProperties\":1,\"maxProperties\":14,"
                "\"propertyNames\":{\"$ref\":\"#/$defs/header\"},"
                "\"additionalProperties\":{\"$ref\":\"#/$defs/template\"}}",
      .about = "names and values" },
    { .name = "fields", .type = G_OWN, .read = compile_fields, .more = ON_LET,
      .at = offsetof(struct declared_request, fields), .schema = FIELDS_SCHEMA,
      .about = "what is sent; those without a value are not" },
    { .name = "body", .type = G_OWN, .read = compile_body, .more = ON_LET,
      .schema = "{\"anyOf\":[{\"enum\":[\"form\",\"json\",\"xml\"]},"
                "{\"allOf\":[{\"$ref\":\"#/$defs/template\"},{\"type\":\"string\",\"pattern\":\"[{]\"}]}]}",
      .about = "the form of the fields, or a template" },
    { .name = "root", .type = G_TEXT, .names = &grammar_names_field,
      .at = offsetof(struct declared_request, root), .about = "of XML: the outermost element" },
    { .name = "wrap", .type = G_TEMPLATE, .more = ON_LET | ON_BODY,
      .at = offsetof(struct declared_request, wrap),
      .about = "what is sent instead, with {body} in it" },
    { .name = "sign", .type = G_OWN, .read = compile_sign_use,
      .schema = "{\"$ref\":\"#/$defs/sign_use\"}",
      .about = "the recipe that signs, and where its text goes" },
    { .name = "no_call", .type = G_YES,
      .at = offsetof(struct declared_request, is_no_call),
      .about = "the payer's page calls: what is made goes into the action" },
    { .name = "action", .type = G_OBJECT, .kind = &kind_action,
      .at = offsetof(struct declared_request, action), .more = OF_SENT,
      .about = "of no_call: what the payer is handed" },
    { .name = "answer", .type = G_OWN, .read = compile_own_told, .base = OF_ANSWER,
      .at = offsetof(struct declared_request, told),
      .schema = "{\"$ref\":\"#/$defs/own_answer\"}",
      .about = "what stands instead of members of the general answer" },
    END_
};
const struct grammar_kind grammar_request = {
    "request", sizeof(struct declared_request), request_members, begin_request,
    check_request
};

/* ---- the file ---- */

#define OP_SCHEMA "{\"$ref\":\"#/$defs/operation\"}"
#define OP_(name_, op_, base_, is_required_, about_)                           \
    { .name = name_, .type = G_OWN, .is_required = is_required_,               \
      .read = compile_op, .base = base_,                                       \
      .at = offsetof(struct ph_declared, ops) + (op_) * sizeof(struct declared_op), \
      .schema = OP_SCHEMA, .about = about_ }
#define TEXTS_SCHEMA                                                           \
    "{\"type\":\"array\",\"minItems\":1,\"maxItems\":64,\"items\":"            \
    "{\"$ref\":\"#/$defs/field\"}}"

static const struct grammar_member file_members[] = {
    { .name = "payhub", .type = G_OWN, .is_required = true, .read = compile_version,
      .schema = "{\"const\":1}", .about = "1: the version of this grammar" },
    { .name = "name", .type = G_TEXT, .is_required = true,
      .names = &grammar_names_channel, .at = offsetof(struct ph_declared, name),
      .about = "the channel's name" },
    { .name = "title", .type = G_INLINE, .kind = &kind_title,
      .at = offsetof(struct ph_declared, title), .about = "for people" },
    { .name = "currencies", .type = G_OWN, .read = compile_currencies,
      .schema = "{\"type\":\"array\",\"minItems\":1,\"maxItems\":64,\"items\":"
                "{\"type\":\"string\",\"pattern\":\"^[A-Z]{3}$\"}}",
      .about = "that it takes; all unless said" },
    { .name = "account", .type = G_OWN, .is_required = true, .read = compile_account,
      .schema = "{\"type\":\"object\",\"minProperties\":1,\"maxProperties\":24,"
                "\"propertyNames\":{\"$ref\":\"#/$defs/name\"},"
                "\"additionalProperties\":{\"$ref\":\"#/$defs/key\"}}",
      .about = "the keys of an account" },
    { .name = "methods", .type = G_OWN, .is_required = true, .read = compile_methods,
      .schema = "{\"type\":\"object\",\"minProperties\":1,\"maxProperties\":64,"
                "\"propertyNames\":{\"$ref\":\"#/$defs/name\"},"
                "\"additionalProperties\":{\"$ref\":\"#/$defs/method\"}}",
      .about = "what it offers, each beginning with the channel's name and _" },
    { .name = "seller", .type = G_TEMPLATE, .base = ON_ACCOUNT | ON_METHOD,
      .at = offsetof(struct ph_declared, seller), .about = "who has to be paid" },
    { .name = "app", .type = G_TEMPLATE, .base = ON_ACCOUNT | ON_METHOD,
      .at = offsetof(struct ph_declared, app), .about = "for which app" },
    { .name = "sign", .type = G_OWN, .read = compile_signs, .base = OF_SIGN,
      .schema = "{\"type\":\"object\",\"minProperties\":1,\"maxProperties\":64,"
                "\"propertyNames\":{\"$ref\":\"#/$defs/name\"},"
                "\"additionalProperties\":{\"$ref\":\"#/$defs/sign\"}}",
      .about = "recipes" },
    { .name = "answer", .type = G_INLINE, .is_required = true, .kind = &kind_answer,
      .base = OF_ANSWER, .at = offsetof(struct ph_declared, answer),
      .about = "how answers are read" },
    OP_("create", PH_OP_CREATE, OF_REQUEST, true, "a payment begins"),
    OP_("query", PH_OP_QUERY, OF_REQUEST, true, "what has become of it"),
    OP_("close", PH_OP_CLOSE, OF_REQUEST, false, "it shall be paid no more"),
    OP_("reverse", PH_OP_REVERSE, OF_REQUEST, false, "a bar code's is taken back"),
    OP_("refund", PH_OP_REFUND, OF_REFUND, false, "money goes back"),
    OP_("refund_query", PH_OP_REFUND_QUERY, OF_REFUND, false,
        "what has become of that"),
    { .name = "notice", .type = G_OBJECT, .kind = &kind_notice, .base = OF_NOTICE,
      .at = offsetof(struct ph_declared, notice), .about = "how notices are read" },
    { .name = "repeats", .type = G_YES, .at = offsetof(struct ph_declared, repeats),
      .about = "create with the same number shows the same order again" },
    { .name = "reverse_after", .type = G_NUMBER, .low = 1, .high = 120000,
      .at = offsetof(struct ph_declared, channel.reverse_after_ms),
      .about = "milliseconds before a bar code is taken back" },
    { .name = "deadline", .type = G_OWN, .read = compile_deadline,
      .schema = "{\"type\":\"object\",\"propertyNames\":{\"$ref\":\"#/$defs/op\"},"
                "\"additionalProperties\":{\"type\":\"integer\",\"minimum\":100,"
                "\"maximum\":60000}}",
      .about = "milliseconds by operation" },
    { .name = "wire_fields", .type = G_OWN, .read = compile_wire_fields,
      .schema = TEXTS_SCHEMA, .about = "names that the wire log may show" },
    END_
};
const struct grammar_kind grammar_file = {
    "file", sizeof(struct ph_declared), file_members, NULL, NULL
};
/* clang-format on */

bool
read_http(struct compile *c, const json_t *value, void *at)
{
    int word = 0;

    if (!compile_word(c, value, http_words, 0, &word)) {
        return false;
    }
    *(struct ph_str *) at = ph_str_z(http_words[word]);
    return true;
}

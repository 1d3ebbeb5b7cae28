/*
 * declared_int.h - what a file becomes.  compile.h makes it, run.h uses it.
 */
#ifndef PH_DECLARED_INT_H
#define PH_DECLARED_INT_H

#include "channels/declarative/declared.h"
#include "channels/pick.h"

#define DECLARED_TEXT_MAX 4096 /* bytes of one text of the file */
#define DECLARED_NAME_MAX 64   /* of a sign, a let, a key of extra */
#define DECLARED_LETS_MAX 64
#define DECLARED_FIELDS_MAX 128 /* of one message, nested ones too */
#define DECLARED_NEST_MAX 8     /* fields within fields */
#define DECLARED_FILTERS_MAX 8  /* of one source */
#define DECLARED_PIECES_MAX 48  /* of one template */
#define DECLARED_LIST_MAX 64    /* of words in one list */
#define DECLARED_MAP_MAX 256    /* of rows in one map */
#define DECLARED_CODES_MAX 512  /* of errors in the file */
#define DECLARED_VALUE_MAX (64 * 1024)
#define DECLARED_READS_MAX 128    /* names of members that the file reads */
#define DECLARED_WINDOW_MAX 86400 /* s */

/* Rows of sources.def; the bits tell where a source may be named. */
enum declared_source_kind {
    SOURCE_NONE = 0,
#define SOURCE(id, text, rest, bit, about) SOURCE_##id,
#include "channels/declarative/sources.def"
#undef SOURCE
    SOURCES
};

enum declared_where {
    ON_ACCOUNT = 1 << 0,
    ON_ORDER   = 1 << 1,
    ON_REFUND  = 1 << 2,
    ON_CLOCK   = 1 << 3,
    ON_NONCE   = 1 << 4,
    ON_LET     = 1 << 5,
    ON_BODY    = 1 << 6, /* what is sent, or what came */
    ON_TARGET  = 1 << 7, /* method and address of our request */
    ON_SIGN    = 1 << 8,
    ON_ANSWER  = 1 << 9,  /* status; of answers only */
    ON_TOLD    = 1 << 10, /* headers and members of what came */
    ON_METHOD  = 1 << 11, /* the method and extra: known by the order alone */
    ON_FIELDS  = 1 << 12  /* the fields of our request, joined */
};

struct declared_source {
    enum declared_source_kind kind;
    size_t                    index; /* of the account's key, of the sign */
    struct ph_str             name;  /* of what follows the dot */
};

struct declared_filter {
    const struct declared_filter_row *row;
    struct ph_str                     text;
    int64_t                           number; /* count, places; -1 = none */
    int                               shape;  /* of times */
    int                               offset_min;
    struct declared_source            args[3];
};

struct declared_piece {
    struct ph_str           literal; /* when source.kind is SOURCE_NONE */
    struct declared_source  source;
    struct declared_filter *filters;
    size_t                  filter_count;
    bool                    is_told; /* of a text that is_apart */
};

struct declared_template {
    bool     is_set;
    bool     is_number;   /* in JSON without quotes */
    bool     is_apart;    /* what came in it is kept apart: apart.h */
    bool     is_followed; /* and by what is joined behind it */
    uint32_t uses;        /* bits of declared_where */
    struct declared_piece *pieces;
    size_t                 count;
};

struct declared_texts {
    struct ph_str *items;
    size_t         count;
};

struct declared_let {
    struct ph_str            name;
    struct declared_template value;
};

struct declared_lets {
    struct declared_let *items;
    size_t               count;
};

struct declared_field {
    struct ph_str            name;
    struct declared_template value;
    struct ph_str            exact; /* a number, true or false of the file */
    struct declared_field   *children;
    size_t                   count; /* of children; 0: a value */
};

struct declared_fields {
    struct declared_field *items;
    size_t                 count;
};

enum declared_join { JOIN_NONE, JOIN_FIELDS, JOIN_IN, JOIN_INNER };
enum declared_pair { PAIR_KEY_VALUE, PAIR_KEY, PAIR_VALUE, PAIR_TOGETHER };

struct declared_sign {
    struct ph_str            name;
    int                      join;
    bool                     sorts;
    struct declared_texts    skip;
    int                      keeps_empty;
    int                      pair;
    struct ph_str            between;
    struct declared_template head, tail;
    struct declared_template text; /* instead of a join */
    struct declared_filter  *then;
    size_t                   then_count;
    uint32_t                 uses;
};

struct declared_word {
    struct ph_str word;
    int class; /* enum ph_result_class */
};

struct declared_map {
    struct declared_template from;
    struct declared_word    *items; /* ascending by word */
    size_t                   count;
};

struct declared_among {
    struct declared_template from;
    struct declared_texts    is;
};

struct declared_action {
    int                      type; /* enum ph_action_type */
    struct declared_template data;
    struct declared_fields   fields;
};

/* what an answer or notice tells */
struct declared_told {
    struct declared_template number, trade_no, amount, currency, seller, app;
    struct declared_template paid_at, message, order_number;
    struct declared_among   *code;
    struct declared_map     *status;
    struct declared_template error; /* whence its codes come */
    struct declared_action  *action;
    struct declared_told    *refund;
};

enum declared_form { FORM_NONE, FORM_FORM, FORM_JSON, FORM_XML, FORM_TEMPLATE };

struct declared_same {
    struct declared_template left, right;
};

struct declared_verify {
    bool                        is_none;
    const struct declared_sign *of;
    struct declared_template    text;
    int                         alg; /* row of the algorithms in sign.c */
    size_t                      key; /* of the account */
    bool                        has_key;
    size_t                   old_key; /* tried next, where an account has it */
    bool                     has_old_key;
    struct declared_template signature, at;
    uint32_t                 window_s;
    struct declared_same    *same;
    size_t                   same_count;
};

struct declared_open {
    struct declared_template from;
    int                      read;
};

/* an answer or a notice */
struct declared_message {
    int                     read;
    struct declared_open   *open;
    struct declared_lets    lets;
    struct declared_verify *verify;
    struct declared_told    told;
    /* of notices */
    struct declared_template id;
    struct declared_among   *refund_when, *ignore;
    struct ph_str            ack_body, ack_type;
};

struct declared_header {
    struct ph_str            name;
    struct declared_template value;
};

struct declared_request {
    struct ph_str               method; /* of ours; "*" = all others */
    struct declared_lets        lets;
    struct ph_str               http;
    struct declared_template    url;
    struct declared_header     *headers;
    size_t                      header_count;
    struct declared_fields      fields;
    int                         form;
    struct declared_template    body; /* FORM_TEMPLATE */
    struct ph_str               root; /* FORM_XML */
    struct declared_template    wrap;
    const struct declared_sign *sign;
    bool                        sign_is_header;
    struct ph_str               sign_name;
    bool                        is_no_call;
    struct declared_action     *action;
    struct declared_told       *told; /* its own, else the general one */
};

struct declared_op {
    struct declared_request *items;
    size_t                   count;
};

struct declared_title {
    struct ph_str en, zh;
};

struct ph_declared {
    struct ph_channel        channel; /* first; .self = this */
    struct declared_title    title;
    struct ph_str            name;
    struct declared_sign    *signs;
    size_t                   sign_count;
    struct declared_op       ops[PH_OP_COUNT];
    struct declared_message  answer;
    struct declared_message *notice;
    struct declared_texts reads; /* names that {in.*}, {inner.*} begin with */
    struct declared_template seller, app;
    bool                     repeats;
    int                      places; /* of all its currencies; -1: they vary */
};

#endif

/*
 * xml.c - see xml.h.  Expat reads, a stack holds the open elements, jansson
 * the tree.
 */
#include "channels/xml.h"

#include <expat.h>

#include "channels/pick_int.h"

struct element {
    json_t *members;  /* of it; NULL: none was seen */
    size_t  text_at;  /* where its text begins */
    size_t  name_len; /* of the name, in `names` */
    char    name[PH_XML_NAME_MAX];
};

struct reading {
    XML_Parser     parser;
    struct element open[PH_CHANNEL_DEPTH_MAX];
    size_t         depth;
    size_t         elements;
    struct ph_buf  text;
    json_t        *root;
    enum ph_rc     rc;
};

static void
reading_stop(struct reading *reading, enum ph_rc rc)
{
    if (reading->rc == PH_OK) {
        reading->rc = rc;
        (void) XML_StopParser(reading->parser, XML_FALSE);
    }
}

static bool
is_blank(struct ph_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(" \t\r\n", text.ptr[i]) == NULL || text.ptr[i] == '\0') {
            return false;
        }
    }
    return true;
}

static struct ph_str
text_of(const struct reading *reading, const struct element *element)
{
    return ph_str_make(reading->text.ptr + element->text_at,
                       reading->text.len - element->text_at);
}

/* what stands before a child may only be blanks: they are dropped */
static bool
parent_take(struct reading *reading, struct element *parent)
{
    if (!is_blank(text_of(reading, parent))) {
        return false;
    }
    ph_buf_cut(&reading->text, parent->text_at);
    if (parent->members == NULL) {
        parent->members = json_object();
    }
    return parent->members != NULL;
}

static void XMLCALL
on_start(void *data, const XML_Char *name, const XML_Char **attributes)
{
    struct reading *reading = data;
    size_t          len     = strlen(name);

    if (reading->rc != PH_OK) {
        return; /* expat may call once more behind a stop */
    }
    if (reading->depth == PH_CHANNEL_DEPTH_MAX
        || reading->elements == PH_XML_ELEMENTS_MAX)
    {
        reading_stop(reading, PH_E_RANGE);
        return;
    }
    if (attributes[0] != NULL || len > PH_XML_NAME_MAX
        || (reading->depth != 0
            && !parent_take(reading, &reading->open[reading->depth - 1])))
    {
        reading_stop(reading, PH_E_SYNTAX);
        return;
    }
    struct element *element = &reading->open[reading->depth++];

    *element
        = (struct element){ .text_at = reading->text.len, .name_len = len };
    memcpy(element->name, name, len);
    reading->elements++;
}

/* the element as a value, its memory given back */
static json_t *
element_value(struct reading *reading, struct element *element)
{
    struct ph_str text  = text_of(reading, element);
    json_t       *value = element->members;

    if (value == NULL) {
        value = json_stringn(text.ptr, text.len);
    } else if (!is_blank(text)) {
        json_decref(value);
        value = NULL;
    }
    element->members = NULL;
    ph_buf_cut(&reading->text, element->text_at);
    return value;
}

static void XMLCALL
on_end(void *data, const XML_Char *name)
{
    struct reading *reading = data;

    (void) name; /* expat has seen that it fits */
    if (reading->rc != PH_OK) {
        return;
    }
    struct element *element = &reading->open[--reading->depth];
    json_t         *value   = element_value(reading, element);

    if (value == NULL) {
        reading_stop(reading, PH_E_SYNTAX);
        return;
    }
    if (reading->depth == 0) {
        reading->root = value;
        return;
    }
    json_t *members = reading->open[reading->depth - 1].members;

    if (json_object_getn(members, element->name, element->name_len) != NULL) {
        json_decref(value);
        reading_stop(reading, PH_E_SYNTAX);
        return;
    }
    if (json_object_setn_new(members, element->name, element->name_len, value)
        != 0) {
        reading_stop(reading, PH_E_FULL);
    }
}

static void XMLCALL
on_text(void *data, const XML_Char *text, int len)
{
    struct reading *reading = data;

    ph_buf_add(&reading->text, ph_str_make(text, (size_t) len));
    if (reading->text.full) {
        reading_stop(reading, PH_E_FULL);
    }
}

/* The encoding was set from outside; what the text says has to agree. */
static void XMLCALL
on_declaration(void *data, const XML_Char *version, const XML_Char *encoding,
               int standalone)
{
    (void) version;
    (void) standalone;
    if (encoding != NULL && strcmp(encoding, "UTF-8") != 0
        && strcmp(encoding, "utf-8") != 0)
    {
        reading_stop(data, PH_E_SYNTAX);
    }
}

static void XMLCALL
on_doctype(void *data, const XML_Char *name, const XML_Char *system_id,
           const XML_Char *public_id, int has_subset)
{
    (void) name;
    (void) system_id;
    (void) public_id;
    (void) has_subset;
    reading_stop(data, PH_E_SYNTAX);
}

static void XMLCALL
on_instruction(void *data, const XML_Char *target, const XML_Char *text)
{
    (void) target;
    (void) text;
    reading_stop(data, PH_E_SYNTAX);
}

static void XMLCALL
on_comment(void *data, const XML_Char *text)
{
    (void) text;
    reading_stop(data, PH_E_SYNTAX);
}

static void
handlers_set(struct reading *reading)
{
    XML_SetUserData(reading->parser, reading);
    XML_SetElementHandler(reading->parser, on_start, on_end);
    XML_SetCharacterDataHandler(reading->parser, on_text);
    XML_SetXmlDeclHandler(reading->parser, on_declaration);
    XML_SetStartDoctypeDeclHandler(reading->parser, on_doctype);
    XML_SetProcessingInstructionHandler(reading->parser, on_instruction);
    XML_SetCommentHandler(reading->parser, on_comment);
    (void) XML_SetParamEntityParsing(reading->parser,
                                     XML_PARAM_ENTITY_PARSING_NEVER);
}

static void
reading_end(struct reading *reading)
{
    for (size_t i = 0; i < reading->depth; i++) {
        json_decref(reading->open[i].members);
    }
    XML_ParserFree(reading->parser);
}

enum ph_rc
ph_doc_xml(struct ph_doc **out, struct ph_str body, struct ph_arena *room)
{
    struct reading reading = { .rc = PH_OK };
    size_t         mark    = room->len;

    *out = NULL;
    if (body.len > PH_CHANNEL_JSON_MAX) {
        return PH_E_RANGE;
    }
    /* a byte order mark, too, is refused */
    if (body.len == 0 || body.ptr[0] != '<'
        || memchr(body.ptr, '\0', body.len) != NULL)
    {
        return PH_E_SYNTAX;
    }
    char *memory = ph_arena_take(room, body.len);

    reading.parser = memory != NULL ? XML_ParserCreate("UTF-8") : NULL;
    if (reading.parser == NULL) {
        return PH_E_FULL;
    }
    ph_buf_init(&reading.text, memory, body.len);
    handlers_set(&reading);
    if (XML_Parse(reading.parser, body.ptr, (int) body.len, 1) != XML_STATUS_OK
        && reading.rc == PH_OK)
    {
        reading.rc = PH_E_SYNTAX;
    }
    if (reading.rc == PH_OK && !json_is_object(reading.root)) {
        reading.rc = PH_E_SYNTAX; /* an element without any inside */
    }
    reading_end(&reading);
    room->len = mark;
    if (reading.rc != PH_OK) {
        json_decref(reading.root);
        return reading.rc;
    }
    *out = ph_doc_of(reading.root);
    return PH_OK;
}

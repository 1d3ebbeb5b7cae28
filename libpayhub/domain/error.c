/*
 * error.c - the error table and problem documents.
 */
#include "libpayhub/domain/error.h"

#include "libpayhub/base/rc.h"

static const struct ph_error_info error_infos[PH_ERRORS] = {
#define ERROR(name, code, status, retryable, title)                            \
    [PH_ERROR_##name]                                                          \
        = { PH_STR_INIT(code), (status), (retryable), PH_STR_INIT(title) },
#include "libpayhub/domain/errors.def"
#undef ERROR
};

static const struct {
    unsigned      status;
    enum ph_error error;
} error_of_status[] = {
    { 400, PH_ERROR_BAD_REQUEST },  { 401, PH_ERROR_AUTH },
    { 403, PH_ERROR_FORBIDDEN },    { 404, PH_ERROR_NOT_FOUND },
    { 405, PH_ERROR_METHOD },       { 409, PH_ERROR_STATE },
    { 413, PH_ERROR_TOO_LARGE },    { 415, PH_ERROR_MEDIA_TYPE },
    { 422, PH_ERROR_VALUE },        { 429, PH_ERROR_LIMITED },
    { 500, PH_ERROR_INTERNAL },     { 502, PH_ERROR_OUTCOME_UNKNOWN },
    { 503, PH_ERROR_NOT_EXECUTED }, { 504, PH_ERROR_OUTCOME_UNKNOWN },
};

const struct ph_error_info *
ph_error_info(enum ph_error error)
{
    bool known
        = (unsigned) error > PH_ERROR_NONE && (unsigned) error < PH_ERRORS;

    return &error_infos[known ? error : PH_ERROR_INTERNAL];
}

enum ph_error
ph_error_of_status(unsigned status)
{
    for (size_t i = 0; i < PH_COUNT(error_of_status); i++) {
        if (error_of_status[i].status == status) {
            return error_of_status[i].error;
        }
    }
    return PH_ERROR_HTTP;
}

/* Text that came from outside may be no UTF-8: then it is left out, because
 * the document must stay JSON. */
static void
problem_text(struct ph_buf *buf, struct ph_str text)
{
    ph_buf_json(buf, ph_str_utf8_count(text) != SIZE_MAX ? text : PH_STR(""));
}

static void
problem_member(struct ph_buf *buf, struct ph_str name, struct ph_str text)
{
    ph_buf_byte(buf, ',');
    ph_buf_json(buf, name);
    ph_buf_byte(buf, ':');
    problem_text(buf, text);
}

static void
problem_places(struct ph_buf *buf, const struct ph_problem *problem)
{
    for (size_t i = 0; i < problem->place_count && i < PH_PROBLEM_PLACES_MAX;
         i++) {
        ph_buf_add(buf, i == 0 ? PH_STR(",\"errors\":[") : PH_STR(","));
        ph_buf_add(buf, PH_STR("{\"pointer\":"));
        problem_text(buf, problem->places[i].pointer);
        problem_member(buf, PH_STR("detail"), problem->places[i].detail);
        ph_buf_byte(buf, '}');
    }
    if (problem->place_count != 0) {
        ph_buf_byte(buf, ']');
    }
}

/* the caller's status, else the code's own, else 500 */
static unsigned
problem_status(const struct ph_problem *problem)
{
    unsigned own = ph_error_info(problem->error)->status;

    if (problem->status != 0) {
        return problem->status;
    }
    return own != 0 ? own : 500;
}

void
ph_problem_format(struct ph_buf *buf, const struct ph_problem *problem)
{
    const struct ph_error_info *info = ph_error_info(problem->error);

    ph_buf_add(buf, PH_STR("{\"type\":\"urn:payhub:problem:"));
    ph_buf_add(buf, info->code);
    ph_buf_byte(buf, '"');
    problem_member(buf, PH_STR("title"), info->title);
    ph_buf_add(buf, PH_STR(",\"status\":"));
    ph_buf_u64(buf, problem_status(problem));
    problem_member(buf, PH_STR("detail"), problem->detail);
    problem_member(buf, PH_STR("code"), info->code);
    problem_member(buf, PH_STR("request_id"), problem->request_id);
    ph_buf_add(buf, PH_STR(",\"retryable\":"));
    ph_buf_add(buf, info->retryable ? PH_STR("true") : PH_STR("false"));
    problem_places(buf, problem);
    ph_buf_byte(buf, '}');
}

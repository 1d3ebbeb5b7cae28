/*
 * error.h - stable error codes and RFC 9457 problem documents.
 */
#ifndef PH_DOMAIN_ERROR_H
#define PH_DOMAIN_ERROR_H

#include "libpayhub/base/buf.h"

enum ph_error {
    PH_ERROR_NONE = 0,
#define ERROR(name, code, status, retryable, title) PH_ERROR_##name,
#include "libpayhub/domain/errors.def"
#undef ERROR
    PH_ERRORS
};

struct ph_error_info {
    struct ph_str code; /* "PH-A101" */
    unsigned      status;
    bool          retryable;
    struct ph_str title;
};

#define PH_PROBLEM_MAX 2048 /* bytes of a rendered problem document */
#define PH_PROBLEM_PLACES_MAX 8

/* one faulty member: JSON pointer and what is wrong with it */
struct ph_problem_place {
    struct ph_str pointer;
    struct ph_str detail;
};

struct ph_problem {
    enum ph_error                  error;
    unsigned                       status; /* 0 = the code's own */
    struct ph_str                  detail; /* may be empty */
    struct ph_str                  request_id;
    const struct ph_problem_place *places;
    size_t                         place_count; /* <= PH_PROBLEM_PLACES_MAX */
};

/* PH_ERROR_NONE and values outside the enum give the entry of INTERNAL */
const struct ph_error_info *ph_error_info(enum ph_error error);

/* the error of nginx's or our own bare HTTP status: 413 -> TOO_LARGE */
enum ph_error ph_error_of_status(unsigned status);

/* Appends {type,title,status,detail,code,request_id,retryable[,errors]}. */
void ph_problem_format(struct ph_buf *buf, const struct ph_problem *problem);

#endif

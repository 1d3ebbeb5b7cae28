/*
 * filter.h - the filters, one function a row of filters.def.
 */
#ifndef PH_DECLARED_FILTER_H
#define PH_DECLARED_FILTER_H

#include "channels/declarative/run.h"

#define FILTER_FN(name)                                                        \
    bool declared_##name(struct declared_run          *run,                    \
                         const struct declared_filter *filter,                 \
                         struct ph_str in, struct ph_str *out)

#define FILTER(name, arg, sees_empty, function, about) FILTER_FN(function);
#include "channels/declarative/filters.def"
#undef FILTER

/* closes what a filter wrote into the rest of the arena */
bool declared_filter_end(struct declared_run *run, struct ph_buf *buf,
                         struct ph_str *out) PH_MUST_CHECK;

/* & < > and, when asked for, both quotes as entities */
void declared_escape(struct ph_buf *buf, struct ph_str text, bool with_quotes);

/* the secret's bytes of a key, decoded where its kind is base64 */
struct ph_str declared_secret(const struct declared_run *run, size_t key);

#endif

/*
 * conf_rules.h - what a value of payhub.conf may be; used by conf.c and by
 * the generator of docs/configuration.md.
 */
#ifndef PH_BASE_CONF_RULES_H
#define PH_BASE_CONF_RULES_H

#include "libpayhub/base/conf.h"

/* true when `text` keeps the rule of its row; *number as in ph_conf */
bool ph_conf_judge(enum ph_conf_key key, struct ph_str text,
                   int64_t *number) PH_MUST_CHECK;

/* Appends what the row takes: "a time (ms, s, m, h) from 1s to 10m". */
void ph_conf_expected(struct ph_buf *buf, enum ph_conf_key key);

/* what follows PAYHUB_ in names that are no keys; one that ends in _ stands
 * for all that begin so */
extern const char *const ph_conf_other_names[];
extern const size_t      ph_conf_other_name_count;

/* "10s" to 10000; digits and one of ms, s, m, h */
bool ph_conf_time(struct ph_str text, int64_t *ms) PH_MUST_CHECK;

/* a time in its largest whole unit: 90000 gives "90s" */
void ph_conf_add_time(struct ph_buf *buf, int64_t ms);

/* 1..PH_CONF_TIMES_MAX times between single blanks */
bool ph_conf_split_times(struct ph_str text, int64_t ms[PH_CONF_TIMES_MAX],
                         size_t *count) PH_MUST_CHECK;

#endif

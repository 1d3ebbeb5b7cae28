/*
 * month.h - calendar months in UTC, as partitions are named by.  Pure.
 */
#ifndef PH_BASE_MONTH_H
#define PH_BASE_MONTH_H

#include <stdint.h>

/* unix ms of the first instant of the month `ahead` after now's; `ahead` may be
 * negative, down to 1970 */
uint64_t ph_month_start_ms(uint64_t now_ms, int ahead);

/* 202601 for any instant of January 2026 */
unsigned ph_month_number(uint64_t at_ms);

#endif

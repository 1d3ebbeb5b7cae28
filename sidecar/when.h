/*
 * when.h - temporal column values, taken apart.
 */
#ifndef SIDECAR_WHEN_H
#define SIDECAR_WHEN_H

#include "sidecar/table.h"

struct bl_when {
    bool     is_negative; /* TIME only */
    uint32_t year, month, day;
    uint32_t hour, minute, second;
    uint32_t micros;
};

/* DATETIME(n) since MySQL 5.6 and MariaDB 10.1; raw is 5 bytes + fraction */
struct bl_when bl_datetime_split(struct ph_str raw);
struct bl_when bl_time_split(struct ph_str raw);

/* seconds since 1970 to a UTC calendar */
struct bl_when bl_epoch_split(uint64_t seconds);

/* whole minutes since 1970 of a DATETIME(n); false for what has none */
bool bl_datetime_minute(struct ph_str raw, uint32_t *minute);

/* bytes of a fraction of 1..3 bytes as micros */
uint32_t bl_fraction_micros(uint64_t fraction, size_t bytes);

#endif

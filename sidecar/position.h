/*
 * position.h - a place in the log: the last GTID of each replication domain.
 *
 * Text form "0-1-100,7-2-5", ascending by domain, as MariaDB's
 * @slave_connect_state takes it.  Empty = before the first event of all.
 */
#ifndef SIDECAR_POSITION_H
#define SIDECAR_POSITION_H

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"

#define BL_DOMAINS_MAX 32
#define BL_POSITION_TEXT_MAX (BL_DOMAINS_MAX * 44)

struct bl_place {
    uint32_t domain;
    uint32_t server_id;
    uint64_t seq;
};

struct bl_position {
    size_t          count;
    struct bl_place place[BL_DOMAINS_MAX];
};

enum ph_rc bl_position_parse(struct ph_str       text,
                             struct bl_position *position) PH_MUST_CHECK;
void bl_position_format(const struct bl_position *position, struct ph_buf *buf);

/* false when the domain is one too many */
bool bl_position_advance(struct bl_position *position,
                         struct bl_place     place) PH_MUST_CHECK;

/* the place of a domain, or NULL */
const struct bl_place *bl_position_find(const struct bl_position *position,
                                        uint32_t                  domain);

#endif

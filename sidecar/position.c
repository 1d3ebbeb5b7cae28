/*
 * position.c - GTID lists of MariaDB.
 */
#include "sidecar/position.h"

#define PARTS 3

static bool
place_parse(struct ph_str text, struct bl_place *place)
{
    uint64_t      part[PARTS];
    struct ph_str piece;
    size_t        count = 0;

    while (ph_str_next(&text, '-', &piece)) {
        if (count == PARTS
            || !ph_str_u64(piece, count == 2 ? UINT64_MAX : UINT32_MAX,
                           &part[count]))
        {
            return false;
        }
        count++;
    }
    if (count != PARTS) {
        return false;
    }
    *place
        = (struct bl_place){ (uint32_t) part[0], (uint32_t) part[1], part[2] };
    return true;
}

enum ph_rc
bl_position_parse(struct ph_str text, struct bl_position *position)
{
    struct ph_str piece;

    position->count = 0;
    if (text.len == 0) {
        return PH_OK;
    }
    while (ph_str_next(&text, ',', &piece)) {
        struct bl_place place;

        if (!place_parse(ph_str_trim(piece), &place)) {
            return PH_E_SYNTAX;
        }
        if (!bl_position_advance(position, place)) {
            return PH_E_RANGE;
        }
    }
    return PH_OK;
}

void
bl_position_format(const struct bl_position *position, struct ph_buf *buf)
{
    for (size_t i = 0; i < position->count; i++) {
        const struct bl_place *place = &position->place[i];

        if (i != 0) {
            ph_buf_byte(buf, ',');
        }
        ph_buf_u64(buf, place->domain);
        ph_buf_byte(buf, '-');
        ph_buf_u64(buf, place->server_id);
        ph_buf_byte(buf, '-');
        ph_buf_u64(buf, place->seq);
    }
}

bool
bl_position_advance(struct bl_position *position, struct bl_place place)
{
    size_t at = 0;

    while (at < position->count && position->place[at].domain < place.domain) {
        at++;
    }
    if (at < position->count && position->place[at].domain == place.domain) {
        position->place[at] = place;
        return true;
    }
    if (position->count == BL_DOMAINS_MAX) {
        return false;
    }
    memmove(&position->place[at + 1], &position->place[at],
            (position->count - at) * sizeof(position->place[0]));
    position->place[at] = place;
    position->count++;
    return true;
}

const struct bl_place *
bl_position_find(const struct bl_position *position, uint32_t domain)
{
    for (size_t i = 0; i < position->count; i++) {
        if (position->place[i].domain == domain) {
            return &position->place[i];
        }
    }
    return NULL;
}

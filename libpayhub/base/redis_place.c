/* redis_place.c - places of Redis servers; see redis_place.h. */
#include "libpayhub/base/redis_place.h"

#define PORT_MAX 65535

bool
ph_redis_place_make(struct ph_str host, int64_t port,
                    struct ph_redis_place *place)
{
    if (host.len == 0 || host.len >= sizeof(place->host) || port < 0
        || port > PORT_MAX || (port == 0) != (host.ptr[0] == '/')
        || ph_str_has_control(host))
    {
        return false;
    }
    memcpy(place->host, host.ptr, host.len);
    place->host[host.len] = '\0';
    place->port           = (int) port;
    return true;
}

bool
ph_redis_place_parse(struct ph_str text, struct ph_redis_place *place)
{
    size_t   colon = text.len;
    uint64_t port;

    if (text.len != 0 && text.ptr[0] == '/') {
        return ph_redis_place_make(text, 0, place);
    }
    while (colon > 0 && text.ptr[colon - 1] != ':') {
        colon--;
    }
    if (colon == 0
        || !ph_str_u64(ph_str_make(text.ptr + colon, text.len - colon),
                       PORT_MAX, &port)
        || port == 0)
    {
        return false;
    }
    struct ph_str host = ph_str_make(text.ptr, colon - 1);

    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
        host = ph_str_make(host.ptr + 1, host.len - 2);
    }
    return memchr(host.ptr, ',', host.len) == NULL
           && ph_redis_place_make(host, (int64_t) port, place);
}

bool
ph_redis_place_same(const struct ph_redis_place *a,
                    const struct ph_redis_place *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

void
ph_redis_place_text(const struct ph_redis_place *place, struct ph_buf *out)
{
    ph_buf_add(out, ph_str_z(place->host));
    if (place->port != 0) {
        ph_buf_byte(out, ':');
        ph_buf_i64(out, place->port);
    }
}

bool
ph_redis_places_parse(struct ph_str         text,
                      struct ph_redis_place places[PH_REDIS_PLACES_MAX],
                      size_t               *count)
{
    struct ph_str piece;

    *count = 0;
    while (ph_str_next(&text, ' ', &piece)) {
        piece = ph_str_trim(piece);
        if (piece.len == 0) {
            continue;
        }
        if (*count == PH_REDIS_PLACES_MAX
            || !ph_redis_place_parse(piece, &places[*count]))
        {
            return false;
        }
        (*count)++;
    }
    return true;
}

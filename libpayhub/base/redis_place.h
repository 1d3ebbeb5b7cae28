/*
 * redis_place.h - where a Redis listens, and lists of such places as
 * redis.sentinels and redis.cluster have them.  Pure.
 */
#ifndef PH_BASE_REDIS_PLACE_H
#define PH_BASE_REDIS_PLACE_H

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"

#define PH_REDIS_HOST_MAX 108 /* a host name, or the path of a socket */
#define PH_REDIS_PLACES_MAX 16

struct ph_redis_place {
    char host[PH_REDIS_HOST_MAX];
    int  port; /* 0 = host is the path of a unix socket */
};

/* "host:port", "[v6]:port" or "/path"; false = it is none of these */
bool ph_redis_place_parse(struct ph_str          text,
                          struct ph_redis_place *place) PH_MUST_CHECK;

/* host and port as a server tells them */
bool ph_redis_place_make(struct ph_str host, int64_t port,
                         struct ph_redis_place *place) PH_MUST_CHECK;

bool ph_redis_place_same(const struct ph_redis_place *a,
                         const struct ph_redis_place *b);

void ph_redis_place_text(const struct ph_redis_place *place,
                         struct ph_buf               *out);

/*
 * Places that blanks part, at most PH_REDIS_PLACES_MAX.  False = one of them
 * is none, or there are too many; an empty list is *count 0.
 */
bool ph_redis_places_parse(struct ph_str         text,
                           struct ph_redis_place places[PH_REDIS_PLACES_MAX],
                           size_t               *count) PH_MUST_CHECK;

#endif

/* clock_int.h - shared by clock.c (what is due) and notices.c (sending). */
#ifndef SB_CLOCK_INT_H
#define SB_CLOCK_INT_H

#include <curl/curl.h>
#include <pthread.h>

#include "sandbox/clock.h"
#include "sandbox/text.h"

#define NOTICE_LEVELS 9
#define NOTICE_BODY_MAX 1024
#define NOTICE_REPLY_MAX 16

/* one copy of a notice on the wire */
struct notice_send {
    struct notice_send *next; /* in idle */
    struct sb_clock    *clock;
    struct sb_charge   *charge;
    CURL               *easy;
    struct curl_slist  *headers;
    char                body[NOTICE_BODY_MAX];
    size_t              body_len;
    char                reply[NOTICE_REPLY_MAX];
    size_t              reply_len;
};

struct sb_clock {
    struct sb_clock_options options;
    struct sb_books        *books;
    pthread_t               thread;
    bool                    has_thread;
    bool                    is_ending; /* under the books' lock */

    struct sb_parked *parked;
    size_t            parked_count;
    struct sb_charge *late;
    struct sb_refund *late_refunds;
    /* by try: all in one queue wait equally long, so each is in due order */
    struct sb_charge *queues[NOTICE_LEVELS];

    CURLM              *multi;
    struct notice_send  sends[SB_NOTICES_INFLIGHT];
    struct notice_send *idle;
    size_t              idle_count;
};

/* notices.c */
bool notices_open(struct sb_clock *clock);
void notices_close(struct sb_clock *clock);
/* lock: puts what is due on the wire, as far as there are places */
void notices_start_due(struct sb_clock *clock, uint64_t now_ms);
/* no lock: moves the wire, takes what is finished */
void notices_turn(struct sb_clock *clock);
/* lock: those that the books say were never acknowledged */
void notices_resume(struct sb_clock *clock, uint64_t now_ms);

/* clock.c; lock: lets go those that wait for this charge's notice */
void clock_release(struct sb_clock *clock, const struct sb_charge *charge);

#endif

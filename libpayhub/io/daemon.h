/*
 * daemon.h - what every payhub process does at its start and end.
 */
#ifndef PH_IO_DAEMON_H
#define PH_IO_DAEMON_H

#include "libpayhub/base/conf.h"
#include "libpayhub/wire/seal.h"

/*
 * SIGPIPE ignored, no core of secrets (PR_SET_DUMPABLE 0, RLIMIT_CORE 0),
 * umask 077, OpenSSL algorithms fetched.  False = said why on stderr.
 */
bool ph_daemon_init(const char *name) PH_MUST_CHECK;

/*
 * READY=1 (or STATUS=..., STOPPING=1) to the supervisor named by
 * NOTIFY_SOCKET, as sd_notify(3) does; without that variable, nothing.
 */
void ph_daemon_notify(const char *message);

/*
 * path, else $PAYHUB_CONFIG, else /etc/payhub/payhub.conf; then the
 * environment.  False = `why` says file, line, found, expected.
 */
bool ph_conf_load(struct ph_conf *conf, const char *path,
                  struct ph_buf *why) PH_MUST_CHECK;

/* A whole file of at most out->size bytes.  @owns: nothing is kept open. */
bool ph_file_read(const char *path, struct ph_buf *out,
                  struct ph_buf *why) PH_MUST_CHECK;

/*
 * The same for secrets: refuses a file that others may read (mode & 077);
 * one trailing LF is not part of it.
 */
bool ph_secret_read(const char *path, struct ph_buf *out,
                    struct ph_buf *why) PH_MUST_CHECK;

/* temp file in the same folder + fsync + rename */
bool ph_file_replace(const char *path, struct ph_str bytes, unsigned mode,
                     struct ph_buf *why) PH_MUST_CHECK;

uint64_t ph_now_ms(void);       /* unix milliseconds, CLOCK_REALTIME */
uint64_t ph_monotonic_ns(void); /* CLOCK_MONOTONIC */

/* fresh random bytes from the kernel; aborts when there are none */
void ph_random(void *out, size_t len);

/* the sealing keys named in [seal]; count 0 when none is configured */
bool ph_seal_keys_load(const struct ph_conf *conf, struct ph_seal_key keys[2],
                       size_t *count, struct ph_buf *why) PH_MUST_CHECK;

#endif

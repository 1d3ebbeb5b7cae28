/*
 * daemon.c - start, files, clocks and randomness of every payhub process.
 */
#include "libpayhub/io/daemon.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "libpayhub/wire/digest.h"

#define DAEMON_PATH_MAX 4096
#define SEAL_KEY_TEXT_LEN ((size_t) PH_SEAL_KEY_LEN * 2)

extern char **environ;

/* "PATH: found ERROR, expected EXPECTED" */
static bool
why_path(struct ph_buf *why, const char *path, const char *found,
         const char *expected)
{
    ph_buf_add(why, ph_str_z(path));
    ph_buf_add(why, PH_STR(": found "));
    ph_buf_add(why, ph_str_z(found));
    ph_buf_add(why, PH_STR(", expected "));
    ph_buf_add(why, ph_str_z(expected));
    return false;
}

/* the same with errno's text */
static bool
why_errno(struct ph_buf *why, const char *path, const char *expected)
{
    char text[128];

    return why_path(why, path, strerror_r(errno, text, sizeof(text)), expected);
}

bool
ph_daemon_init(const char *name)
{
    const struct rlimit none   = { 0, 0 };
    struct sigaction    ignore = { 0 };

    ignore.sa_handler = SIG_IGN;
    (void) sigemptyset(&ignore.sa_mask);
    (void) umask(077);
    if (sigaction(SIGPIPE, &ignore, NULL) != 0
        || setrlimit(RLIMIT_CORE, &none) != 0
        || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
    {
        (void) fprintf(stderr, "%s: cannot protect the process: %s\n", name,
                       strerror(errno));
        return false;
    }
    if (!ph_digest_init()) {
        (void) fprintf(stderr,
                       "%s: found no SHA256 in OpenSSL, expected its "
                       "default provider to be active (openssl.cnf)\n",
                       name);
        return false;
    }
    return true;
}

void
ph_daemon_notify(const char *message)
{
    const char        *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    size_t             len  = path != NULL ? strlen(path) : 0;

    if (len < 2 || len >= sizeof(addr.sun_path)
        || (path[0] != '/' && path[0] != '@'))
    {
        return;
    }
    memcpy(addr.sun_path, path, len);
    if (path[0] == '@') {
        addr.sun_path[0] = '\0'; /* Linux's abstract names */
    }
    int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sock < 0) {
        return;
    }
    socklen_t addr_len
        = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + len);
    (void) sendto(sock, message, strlen(message), MSG_NOSIGNAL,
                  (const struct sockaddr *) &addr, addr_len);
    (void) close(sock);
}

/* Everything of fd, or false with errno; EFBIG when it does not fit. */
static bool
fd_read_all(int fd, struct ph_buf *out)
{
    for (;;) {
        char    spare;
        size_t  left = out->size - out->len;
        ssize_t got  = left != 0 ? read(fd, out->ptr + out->len, left)
                                 : read(fd, &spare, 1);

        if (got == 0) {
            return true;
        }
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            return false;
        }
        if (left == 0) {
            errno = EFBIG;
            return false;
        }
        out->len += (size_t) got;
    }
}

/* Opens, judges and reads; `forbidden` are mode bits that must not be set. */
static bool
file_take(const char *path, mode_t forbidden, struct ph_buf *out,
          struct ph_buf *why)
{
    struct stat st;
    size_t      mark = out->len;
    bool        ok   = false;
    int         fd   = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &st) != 0) {
        (void) why_errno(why, path, "a readable file");
    } else if (!S_ISREG(st.st_mode)) {
        (void) why_path(why, path, "no regular file", "a regular file");
    } else if ((st.st_mode & forbidden) != 0) {
        (void) why_path(why, path, "a secret that others may read",
                        "mode 0600: chmod 600 it");
    } else if (!fd_read_all(fd, out)) {
        (void) why_errno(why, path, "a file that fits its use");
    } else {
        ok = true;
    }
    if (fd >= 0) {
        (void) close(fd);
    }
    if (!ok && out->len > mark) {
        OPENSSL_cleanse(out->ptr + mark, out->len - mark);
        out->len = mark;
    }
    return ok;
}

bool
ph_file_read(const char *path, struct ph_buf *out, struct ph_buf *why)
{
    return file_take(path, 0, out, why);
}

bool
ph_secret_read(const char *path, struct ph_buf *out, struct ph_buf *why)
{
    size_t mark = out->len;

    if (!file_take(path, 077, out, why)) {
        return false;
    }
    if (out->len > mark && out->ptr[out->len - 1] == '\n') {
        out->len--;
    }
    return true;
}

static bool
fd_write_all(int fd, struct ph_str bytes)
{
    while (bytes.len != 0) {
        ssize_t done = write(fd, bytes.ptr, bytes.len);

        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return false;
        }
        bytes.ptr += done;
        bytes.len -= (size_t) done;
    }
    return true;
}

/* A new file with these bytes, on disk when true; errno tells otherwise. */
static bool
file_create(const char *path, struct ph_str bytes, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

    if (fd < 0) {
        return false;
    }
    bool ok
        = fchmod(fd, mode) == 0 && fd_write_all(fd, bytes) && fsync(fd) == 0;
    int cause = errno;

    if (close(fd) != 0 && ok) {
        ok    = false;
        cause = errno;
    }
    errno = cause;
    return ok;
}

/* The rename itself lasts only when the folder is on disk. */
static bool
folder_sync(const char *path)
{
    char        folder[DAEMON_PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t      len   = slash != NULL ? (size_t) (slash - path) : 0;

    if (len >= sizeof(folder)) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(folder, path, len);
    folder[len] = '\0';
    int fd      = open(len != 0        ? folder
                       : slash != NULL ? "/"
                                       : ".",
                  O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool ok    = fsync(fd) == 0;
    int  cause = errno;

    (void) close(fd);
    errno = cause;
    return ok;
}

bool
ph_file_replace(const char *path, struct ph_str bytes, unsigned mode,
                struct ph_buf *why)
{
    char temp[DAEMON_PATH_MAX];
    int len = snprintf(temp, sizeof(temp), "%s.%ld.new", path, (long) getpid());

    if (len < 0 || (size_t) len >= sizeof(temp)) {
        return why_path(why, path, "too long a path", "at most 4080 bytes");
    }
    (void) unlink(temp); /* left by a process of our number that was killed */
    if (!file_create(temp, bytes, (mode_t) mode) || rename(temp, path) != 0) {
        int cause = errno;

        (void) unlink(temp);
        errno = cause;
        return why_errno(why, path, "a folder that can be written");
    }
    return folder_sync(path)
           || why_errno(why, path, "a folder that can be synced");
}

bool
ph_conf_load(struct ph_conf *conf, const char *path, struct ph_buf *why)
{
    char          text[PH_CONF_TEXT_MAX];
    struct ph_buf buf = PH_BUF_INIT(text);

    if (path == NULL) {
        path = getenv("PAYHUB_CONFIG");
    }
    if (path == NULL) {
        path = "/etc/payhub/payhub.conf";
    }
    ph_conf_init(conf);
    if (!ph_file_read(path, &buf, why)
        || ph_conf_parse(conf, path, ph_buf_str(&buf), why) != PH_OK)
    {
        return false;
    }
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        if (ph_conf_env(conf, ph_str_z(*entry), why) != PH_OK) {
            return false;
        }
    }
    return true;
}

uint64_t
ph_now_ms(void)
{
    struct timespec now = { 0, 0 };

    (void) clock_gettime(CLOCK_REALTIME, &now); /* cannot fail on Linux */
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

uint64_t
ph_monotonic_ns(void)
{
    struct timespec now = { 0, 0 };

    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}

void
ph_random(void *out, size_t len)
{
    char *at = out;

    while (len != 0) {
        ssize_t got = getrandom(at, len, 0);

        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            abort(); /* a guessable id or nonce is worse than no process */
        }
        at += got;
        len -= (size_t) got;
    }
}

static int
hex_value(char ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }
    return ch >= 'a' && ch <= 'f'   ? ch - 'a' + 10
           : ch >= 'A' && ch <= 'F' ? ch - 'A' + 10
                                    : -1;
}

static bool
seal_key_decode(struct ph_str text, uint8_t out[PH_SEAL_KEY_LEN])
{
    if (text.len != SEAL_KEY_TEXT_LEN) {
        return false;
    }
    for (size_t i = 0; i < PH_SEAL_KEY_LEN; i++) {
        int high = hex_value(text.ptr[2 * i]);
        int low  = hex_value(text.ptr[2 * i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (uint8_t) (high << 4 | low);
    }
    return true;
}

/* One key when its file is configured. */
static bool
seal_key_load(const char *path, const char *id, struct ph_seal_key *keys,
              size_t *count, struct ph_buf *why)
{
    char          memory[SEAL_KEY_TEXT_LEN + 1]; /* and its LF */
    struct ph_buf text = PH_BUF_INIT(memory);

    if (path[0] == '\0') {
        return true;
    }
    if (id[0] == '\0') {
        return why_path(why, path, "a sealing key without a name",
                        "seal.key_id and seal.old_key_id beside the files");
    }
    bool ok = ph_secret_read(path, &text, why);
    if (ok) {
        keys[*count].id = ph_str_z(id);
        ok              = seal_key_decode(ph_buf_str(&text), keys[*count].bytes)
             || why_path(why, path, "another content", "64 hex digits");
    }
    OPENSSL_cleanse(memory, sizeof(memory));
    *count += ok;
    return ok;
}

bool
ph_seal_keys_load(const struct ph_conf *conf, struct ph_seal_key keys[2],
                  size_t *count, struct ph_buf *why)
{
    const char *key_id     = ph_conf_text(conf, PH_CONF_seal_key_id);
    const char *old_key_id = ph_conf_text(conf, PH_CONF_seal_old_key_id);
    const char *old_file   = ph_conf_text(conf, PH_CONF_seal_old_key_file);

    *count = 0;
    if (old_file[0] != '\0' && strcmp(key_id, old_key_id) == 0) {
        return why_path(why, old_file, "one name for both sealing keys",
                        "seal.old_key_id to differ from seal.key_id");
    }
    return seal_key_load(ph_conf_text(conf, PH_CONF_seal_key_file), key_id,
                         keys, count, why)
           && seal_key_load(old_file, old_key_id, keys, count, why);
}

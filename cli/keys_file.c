/*
 * keys_file.c - see keys_file.h.
 */
#include "cli/keys_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_LEN (PATH_MAX + 256)

static bool
refuse(struct ph_buf *why, const char *what, const char *reason)
{
    ph_buf_add(why, ph_str_z(what));
    ph_buf_add(why, PH_STR(": "));
    ph_buf_add(why, ph_str_z(reason));
    return false;
}

/* a path that nginx reads as one word without quotes */
static bool
is_plain_path(const char *path)
{
    for (; *path != '\0'; path++) {
        bool is_word = (*path >= 'a' && *path <= 'z')
                       || (*path >= 'A' && *path <= 'Z')
                       || (*path >= '0' && *path <= '9')
                       || strchr("/._-+@,=", *path) != NULL;
        if (!is_word) {
            return false;
        }
    }
    return true;
}

/* the absolute folder of `path`, and its owner */
static bool
dir_find(struct cli_keys_file *file, const char *path, struct ph_buf *why)
{
    char        copy[PATH_MAX];
    struct stat st;

    if (snprintf(copy, sizeof(copy), "%s", path) >= (int) sizeof(copy)) {
        return refuse(why, "admin.keys_file", "found too long a path");
    }
    char *slash = strrchr(copy, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    const char *dir = slash == NULL ? "." : slash == copy ? "/" : copy;
    if (realpath(dir, file->dir) == NULL || stat(file->dir, &st) != 0) {
        return refuse(why, dir, strerror(errno));
    }
    if (!is_plain_path(file->dir)) {
        return refuse(why, file->dir,
                      "found a blank or special character, expected a path "
                      "that nginx.conf takes without quotes");
    }
    file->uid = st.st_uid;
    file->gid = st.st_gid;
    return true;
}

/* what root makes belongs to the folder's owner, so that nginx's user reads */
static bool
own(const struct cli_keys_file *file, int fd)
{
    return geteuid() != 0 || fchown(fd, file->uid, file->gid) == 0;
}

bool
cli_keys_open(struct cli_keys_file *file, const char *path, struct ph_buf *why)
{
    struct stat st;

    *file = (struct cli_keys_file){ .fd = -1, .length = -1 };
    if (!dir_find(file, path, why)) {
        return false;
    }
    file->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
                    0600);
    if (file->fd < 0 || flock(file->fd, LOCK_EX) != 0
        || fstat(file->fd, &st) != 0 || !own(file, file->fd))
    {
        return refuse(why, path, strerror(errno));
    }
    if (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0) {
        return refuse(why, path,
                      "found a mode that others may use, expected a plain "
                      "file with mode 0600");
    }
    return true;
}

static bool
dir_sync(const char *path)
{
    int  fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0) {
        (void) close(fd);
    }
    return ok;
}

static bool
bytes_write(int fd, struct ph_str bytes)
{
    while (bytes.len != 0) {
        ssize_t put = write(fd, bytes.ptr, bytes.len);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return false;
        }
        bytes.ptr += put;
        bytes.len -= (size_t) put;
    }
    return fsync(fd) == 0;
}

/* keys/ beside the file */
static bool
keys_dir(struct cli_keys_file *file, char out[PATH_MAX], struct ph_buf *why)
{
    if (snprintf(out, PATH_MAX, "%s/keys", file->dir) >= PATH_MAX) {
        return refuse(why, file->dir, "found too long a path");
    }
    if (mkdir(out, 0700) != 0) {
        return errno == EEXIST || refuse(why, out, strerror(errno));
    }
    int  fd = open(out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && own(file, fd);
    if (fd >= 0) {
        (void) close(fd);
    }
    return ok || refuse(why, out, strerror(errno));
}

static bool
secret_write(struct cli_keys_file *file, const struct cli_keys_line *line,
             struct ph_buf *why)
{
    struct ph_str key_id = line->key_id;
    char          dir[PATH_MAX];

    if (!keys_dir(file, dir, why)) {
        return false;
    }
    if (snprintf(file->secret, PATH_MAX, "%s/%.*s.%s", dir, (int) key_id.len,
                 key_id.ptr, line->is_public ? "pem" : "secret")
        >= PATH_MAX)
    {
        file->secret[0] = '\0';
        return refuse(why, dir, "found too long a path");
    }
    int fd = open(file->secret, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        bool is         = refuse(why, file->secret, strerror(errno));
        file->secret[0] = '\0'; /* not ours to remove */
        return is;
    }
    bool ok = own(file, fd) && bytes_write(fd, line->material)
              && bytes_write(fd, line->is_public ? PH_STR("") : PH_STR("\n"))
              && dir_sync(dir);
    ok = ok || refuse(why, file->secret, strerror(errno));
    (void) close(fd);
    return ok;
}

static void
line_write(struct ph_buf *out, const struct cli_keys_file *file,
           const struct cli_keys_line *line)
{
    ph_buf_add(out, PH_STR("payhub_key "));
    ph_buf_add(out, line->key_id);
    ph_buf_byte(out, ' ');
    ph_buf_add(out, line->alg);
    ph_buf_add(out, line->is_public ? PH_STR(" pub=file:")
                                    : PH_STR(" secret=file:"));
    ph_buf_add(out, ph_str_z(file->secret));
    if (line->schemes.len != 0) {
        ph_buf_add(out, PH_STR(" schemes="));
        ph_buf_add(out, line->schemes);
    }
    ph_buf_add(out, PH_STR(" app="));
    ph_buf_add(out, line->app_id);
    ph_buf_add(out, PH_STR(" mch="));
    ph_buf_add(out, line->merchant_id);
    if (line->not_before != 0) {
        ph_buf_add(out, PH_STR(" not_before="));
        ph_buf_u64(out, line->not_before);
    }
    if (line->not_after != 0) {
        ph_buf_add(out, PH_STR(" not_after="));
        ph_buf_u64(out, line->not_after);
    }
    ph_buf_add(out, PH_STR(";\n"));
}

bool
cli_keys_add(struct cli_keys_file *file, const struct cli_keys_line *line,
             struct ph_buf *why)
{
    char          memory[LINE_MAX_LEN], last = '\n';
    struct ph_buf text = PH_BUF_INIT(memory);

    if (!secret_write(file, line, why)) {
        return false;
    }
    off_t length = lseek(file->fd, 0, SEEK_END);
    if (length < 0
        || (length > 0 && pread(file->fd, &last, 1, length - 1) != 1)) {
        return refuse(why, "admin.keys_file", strerror(errno));
    }
    file->length = length; /* from here on there is something to take back */
    /* an editor may have left the last line open */
    ph_buf_add(&text, last == '\n' ? PH_STR("") : PH_STR("\n"));
    line_write(&text, file, line);
    if (text.full || !bytes_write(file->fd, ph_buf_str(&text))
        || !dir_sync(file->dir))
    {
        return refuse(why, "admin.keys_file", strerror(errno));
    }
    return true;
}

bool
cli_keys_undo(struct cli_keys_file *file, struct ph_buf *why)
{
    bool ok = true;

    if (file->length >= 0
        && (ftruncate(file->fd, file->length) != 0 || fsync(file->fd) != 0))
    {
        ok = refuse(why, "admin.keys_file", strerror(errno));
    }
    if (file->secret[0] != '\0' && unlink(file->secret) != 0) {
        ok = refuse(why, file->secret, strerror(errno));
    }
    return ok;
}

void
cli_keys_close(struct cli_keys_file *file)
{
    if (file->fd >= 0) {
        (void) close(file->fd); /* drops the lock */
        file->fd = -1;
    }
}

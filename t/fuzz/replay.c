/*
 * replay.c - runs a fuzz target over files and folders without libFuzzer.
 * usage: replay_NAME PATH...   Exit 0: every input ran; a fault aborts, after
 * the input's name on stderr.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "t/fuzz/fuzz.h"

#define INPUT_MAX (2 * 1024 * 1024)
#define PATH_LEN_MAX 1024

static unsigned    replayed;
static const char *replaying; /* for on_abort */

#ifdef PH_TESTING
/* sanitizers end by abort() as well, so that the name is told */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
    return "abort_on_error=1";
}
#endif

static void
on_abort(int number)
{
    (void) number;
    if (write(STDERR_FILENO, "replay: fault in ", 17) < 0
        || write(STDERR_FILENO, replaying, strlen(replaying)) < 0
        || write(STDERR_FILENO, "\n", 1) < 0)
    {
        _exit(1); /* nobody reads */
    }
}

static bool
replay_file(const char *path)
{
    static uint8_t memory[INPUT_MAX];
    FILE          *file = fopen(path, "rb");

    if (file == NULL) {
        (void) fprintf(stderr, "replay: %s: cannot be opened\n", path);
        return false;
    }
    size_t len = fread(memory, 1, sizeof(memory), file);
    (void) fclose(file);

    /* an exact copy: sanitizers see a read past its end */
    uint8_t *exact = malloc(len + 1);
    if (exact == NULL) {
        return false;
    }
    memcpy(exact, memory, len);
    replaying = path;
    (void) LLVMFuzzerTestOneInput(exact, len);
    free(exact);
    replayed++;
    return true;
}

static bool
replay_folder(DIR *dir, const char *folder)
{
    struct dirent *entry;

    while ((entry = readdir(dir)) != NULL) {
        char path[PATH_LEN_MAX];

        if (entry->d_name[0] == '.') {
            continue;
        }
        int len = snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (len < 0 || (size_t) len >= sizeof(path) || !replay_file(path)) {
            return false;
        }
    }
    return true;
}

int
main(int argc, char **argv)
{
    bool ok = argc > 1 && signal(SIGABRT, on_abort) != SIG_ERR;

    for (int i = 1; ok && i < argc; i++) {
        DIR *dir = opendir(argv[i]);

        ok = dir != NULL ? replay_folder(dir, argv[i]) : replay_file(argv[i]);
        if (dir != NULL) {
            (void) closedir(dir);
        }
    }
    if (!ok || replayed == 0) {
        (void) fprintf(stderr, "replay: found no input, expected some\n");
        return 1;
    }
    (void) printf("%s: %u inputs ran\n", argv[0], replayed);
    return 0;
}

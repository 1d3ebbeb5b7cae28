/* progress.h - long work says on stderr how far it is, every few seconds. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#define CLI_PROGRESS_S 5

/* Said when nothing was for CLI_PROGRESS_S; the first call starts the clock. */
void cli_progress(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

#endif

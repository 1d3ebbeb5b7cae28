/*
 * cppcheck.h - for cppcheck only: uthash's and utlist's loops as plain ones,
 * since it reads no system header and would take them for function calls.
 */
#define HASH_ITER(hh, head, el, tmp)                                           \
    for ((el) = (head); (el) != NULL; (el) = (el)->hh.next)
#define DL_FOREACH(head, el)                                                   \
    for ((el) = (head); (el) != NULL; (el) = (el)->next)
#define DL_FOREACH_SAFE(head, el, tmp) DL_FOREACH(head, el)
#define LL_FOREACH(head, el) DL_FOREACH(head, el)
#define LL_FOREACH_SAFE(head, el, tmp) DL_FOREACH(head, el)

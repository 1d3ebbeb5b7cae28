/*
 * bad.c - shared objects that are refused: a sound channel with the one fault
 * that -DFAULT_... names.
 */
#include "channels/load.h"

__attribute__((unused)) static enum ph_channel_step
step(struct ph_channel_call *call, const struct ph_channel_reply *last,
     struct ph_channel_out *out)
{
    (void) call;
    (void) last;
    (void) out;
    return PH_STEP_ERROR;
}

#ifdef FAULT_METHOD
__attribute__((unused)) static const char *const methods[]
    = { "Bad-method", NULL };
#else
__attribute__((unused)) static const char *const methods[] = { "bad_qr", NULL };
#endif

#ifdef FAULT_INIT
static bool
init(void)
{
    return false;
}
#endif

/* clang-format off */
static const struct ph_channel_field fields[] = {
    { "base_url", true, false, "its address", PH_VALUE_URL, NULL },
#ifdef FAULT_KEY_TWICE
    { "base_url", true, false, "its address", PH_VALUE_URL, NULL },
#endif
#ifdef FAULT_KIND
    { "kind", true, false, "of no kind", (enum ph_channel_value) 77, NULL },
#endif
};

static const struct ph_channel_code codes[] = {
#ifdef FAULT_CODES
    { PH_STR_INIT("B"), PH_RESULT_FAILED, PH_STR_INIT("declined"), 0 },
#endif
#ifdef FAULT_CLASS
    { PH_STR_INIT("0"), PH_RESULT_FAILED, PH_STR_INIT("no_such_class"), 0 },
#endif
    { PH_STR_INIT("A"), PH_RESULT_FAILED, PH_STR_INIT("declined"), 0 },
};
/* clang-format on */

#ifndef FAULT_SYMBOL
#define payhub_channel payhub_channel_v1
#endif

#ifndef NAME
#define NAME "bad"
#endif

/* the members that a fault changes */
#ifdef FAULT_ABI
#define ABI 2
#else
#define ABI PH_CHANNEL_ABI
#endif
#ifdef FAULT_SIZE
#define SIZE 64
#elif defined(FAULT_SHORT) /* as one of an older header: sound */
#define SIZE offsetof(struct ph_channel, self)
#else
#define SIZE sizeof(struct ph_channel)
#endif
#ifdef FAULT_NO_METHODS
#define METHODS NULL
#else
#define METHODS methods
#endif
#ifdef FAULT_FIELDS
#define FIELD_COUNT (PH_CHANNEL_FIELDS_MAX + 1)
#else
#define FIELD_COUNT PH_COUNT(fields)
#endif
#ifdef FAULT_STEP
#define STEP NULL
#else
#define STEP step
#endif
#ifdef FAULT_NOTICE
#define CAPS PH_CAP_NOTICE
#else
#define CAPS 0
#endif
#ifdef FAULT_INIT
#define INIT init
#elif defined(FAULT_SHORT) /* not covered by size: never called */
#define INIT ((bool (*)(void)) 1)
#else
#define INIT NULL
#endif

extern const struct ph_channel                                 payhub_channel;
__attribute__((visibility("default"))) const struct ph_channel payhub_channel
    = {
          .abi         = ABI,
          .size        = SIZE,
          .name        = NAME,
          .caps        = CAPS,
          .methods     = METHODS,
          .fields      = fields,
          .field_count = FIELD_COUNT,
          .codes       = codes,
          .code_count  = PH_COUNT(codes),
          .step        = STEP,
          .init        = INIT,
      };

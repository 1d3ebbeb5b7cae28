/*
 * rc.h - result codes of libpayhub.
 *
 * Functions that can fail for more than one reason return enum ph_rc; those
 * with one reason return bool.  PH_OK is the only success.  Out parameters
 * are valid only on PH_OK.
 */
#ifndef PH_BASE_RC_H
#define PH_BASE_RC_H

#define PH_MUST_CHECK __attribute__((warn_unused_result))
#define PH_COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum ph_rc {
    PH_OK = 0,
    PH_E_MORE,      /* input ends before the item does: feed more bytes */
    PH_E_SYNTAX,    /* not of the grammar */
    PH_E_DUPLICATE, /* a member that may stand once stands twice */
    PH_E_MISSING,   /* a required member is absent */
    PH_E_UNKNOWN,   /* a name, type or version that is not in the table */
    PH_E_RANGE,     /* a value outside its named bounds */
    PH_E_FULL,      /* the caller's buffer is too small */
    PH_E_CHECKSUM,  /* CRC32C or tag does not match the bytes */
    PH_E_SIGNATURE, /* well-formed, and not signed by this key */
    PH_E_CRYPTO,    /* the crypto library refused: our fault, not theirs */
    PH_E_IO         /* the operating system or a peer refused */
};

#endif

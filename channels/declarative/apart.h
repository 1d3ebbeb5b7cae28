/*
 * apart.h - texts that others signed, made of several values: which value ends
 * where must be told by the text itself, or one genuine message could be read
 * in other pieces under the same signature.
 */
#ifndef PH_DECLARED_APART_H
#define PH_DECLARED_APART_H

#include "channels/declarative/compile.h"

/* Marks all that a message's signature stands on, its lets too; a text whose
 * values can never be told apart is a fault. */
bool apart_check(struct compile *c, struct declared_verify *verify);

/* Does the text name anything that came? */
bool apart_is_told(const struct compile           *c,
                   const struct declared_template *text);

/* Does it name a member that the recipe of what is told leaves out? */
bool apart_is_unsigned(const struct compile           *c,
                       const struct declared_template *text);

/* Where values of it are to be kept apart: are they?  Of the pieces and the
 * whole as they are in this call. */
bool apart_holds(const struct declared_template *text,
                 const struct ph_str *pieces, struct ph_str whole);

/* Whether a value that holds this text could not stand in it. */
bool apart_splits(const struct declared_template *text, struct ph_str value);

#endif

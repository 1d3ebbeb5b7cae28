/*
 * money.h - amounts in minor units, and the ISO 4217 currencies we take.
 *
 * An amount is an int64_t number of minor units beside its currency; floating
 * point never touches it and nothing is ever rounded.
 * Source of the exponents: ISO 4217 table A.1, without the X codes.
 */
#ifndef PH_BASE_MONEY_H
#define PH_BASE_MONEY_H

#include "libpayhub/base/rc.h"
#include "libpayhub/base/str.h"

struct ph_buf;

#define PH_AMOUNT_MAX INT64_C(999999999999999) /* largest single amount */

/* 0, 2, 3 or 4 decimals; -1 when the code is not in the table */
int ph_currency_exponent(struct ph_str code);

/*
 * "12.34" with exponent 2 gives 1234.  Digits and at most one dot between
 * digits; too many decimals, a sign, blanks or an exponent are PH_E_SYNTAX,
 * more than PH_AMOUNT_MAX is PH_E_RANGE.
 */
enum ph_rc ph_money_parse(struct ph_str in, int exponent,
                          int64_t *minor) PH_MUST_CHECK;

/* 1234 with exponent 2 appends "12.34"; minor >= 0 */
void ph_money_format(struct ph_buf *buf, int64_t minor, int exponent);

/* false (and *sum untouched) on overflow of int64_t */
bool ph_money_add(int64_t a, int64_t b, int64_t *sum) PH_MUST_CHECK;

/*
 * The same amount in units of another number of decimals, 0 to 4: 1050 of two
 * is 10500 of three.  false (and *out untouched): no whole number of them, or
 * one of the two is not within 0 and PH_AMOUNT_MAX.
 */
bool ph_money_rescale(int64_t minor, int from, int to,
                      int64_t *out) PH_MUST_CHECK;

#endif

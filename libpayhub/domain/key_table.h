/*
 * key_table.h - callers' keys in memory that processes share.
 *
 * Readers take no lock and get a copy of a whole record, or none; one writer
 * at a time (the zone's mutex).  A writer killed anywhere leaves each key as
 * it was or as it becomes, and the memory can be written again.
 */
#ifndef PH_DOMAIN_KEY_TABLE_H
#define PH_DOMAIN_KEY_TABLE_H

#include "libpayhub/base/rc.h"
#include "libpayhub/base/siphash.h"

#define PH_KEY_NAME_MAX 32 /* key, app, merchant */
#define PH_KEY_ROLE_MAX 16
#define PH_KEY_MATERIAL_MAX 4096 /* secret bytes, or PEM */

struct ph_key_record {
    uint64_t version;    /* of the record: contexts are kept by (id, version) */
    int64_t  not_before; /* unix seconds, 0 = none */
    int64_t  not_after;
    uint16_t schemes; /* bits of wire/verify.h */
    uint16_t material_len;
    uint8_t  alg; /* enum ph_alg */
    uint8_t  is_revoked;
    uint8_t  id_len, app_len, merchant_len, role_len;
    char     id[PH_KEY_NAME_MAX];
    char     app[PH_KEY_NAME_MAX];
    char     merchant[PH_KEY_NAME_MAX];
    char     role[PH_KEY_ROLE_MAX];
};

struct ph_key_table; /* lies at the start of the memory */

/* `memory` is zeroed and 64-byte aligned, and stays where it is in every
 * process or not: the table holds offsets.  NULL: too small, or (open) not a
 * table of that size. */
struct ph_key_table                      *
ph_key_table_make(void *memory, size_t size,
                                       const uint8_t secret[PH_SIPHASH_KEY_LEN]) PH_MUST_CHECK;
struct ph_key_table *ph_key_table_open(void *memory, size_t size) PH_MUST_CHECK;

/* false = no such key.  The material is read apart, since a kept context
 * makes it unneeded: false = the record has changed meanwhile, ask again. */
bool ph_key_find(const struct ph_key_table *table, struct ph_str id,
                 struct ph_key_record *out);
bool ph_key_material(const struct ph_key_table *table, struct ph_str id,
                     uint64_t version, uint8_t out[PH_KEY_MATERIAL_MAX]);

/* Inserts or replaces; the version is given by the table.  PH_E_FULL no room,
 * the key is as it was; PH_E_RANGE a length beyond its maximum, or no id. */
enum ph_rc ph_key_put(struct ph_key_table        *table,
                      const struct ph_key_record *record,
                      struct ph_str               material) PH_MUST_CHECK;
bool       ph_key_remove(struct ph_key_table *table, struct ph_str id);

/* Walks all keys from *at = 0, for the state file and full exchanges.  A key
 * that is there from beginning to end is seen at least once. */
bool ph_key_next(const struct ph_key_table *table, size_t *at,
                 struct ph_key_record *out);

size_t ph_key_count(const struct ph_key_table *table);

/* Rises with every put and remove. */
uint64_t ph_key_changes(const struct ph_key_table *table);

#endif

/*
 * sums.c - the cells of a batch.
 *
 * Linear probing, at most half full, keys spread by one multiplication.
 */
#include "sidecar/sums.h"

#include <stdlib.h>

#define CELLS_FIRST 1024
#define DIMS_FIRST 64
#define SPREAD UINT64_C(0x9E3779B97F4A7C15) /* 2^64 / golden ratio */

bool
bl_cells_init(struct bl_cells *cells)
{
    cells->cell = calloc(CELLS_FIRST, sizeof(*cells->cell));
    cells->size = CELLS_FIRST;
    cells->used = 0;
    return cells->cell != NULL;
}

/* A giant's table goes; if the small one cannot be had, the giant stays. */
void
bl_cells_clear(struct bl_cells *cells)
{
    struct bl_cell *old = cells->cell;

    if (cells->size > CELLS_FIRST && cells->used * 8 < cells->size
        && bl_cells_init(cells))
    {
        free(old);
        return;
    }
    cells->cell = old;
    cells->used = 0;
    memset(cells->cell, 0, cells->size * sizeof(*cells->cell));
}

static size_t
cell_place(const struct bl_cells *cells, uint64_t key)
{
    size_t mask = cells->size - 1;
    size_t at   = (size_t) (key * SPREAD >> 32) & mask;

    while (cells->cell[at].key != 0 && cells->cell[at].key != key) {
        at = (at + 1) & mask;
    }
    return at;
}

static bool
cells_grow(struct bl_cells *cells)
{
    struct bl_cells more = { .size = cells->size * 2 };

    if (cells->used >= BL_CELLS_MAX) {
        return false;
    }
    more.cell = calloc(more.size, sizeof(*more.cell));
    if (more.cell == NULL) {
        return false;
    }
    for (size_t i = 0; i < cells->size; i++) {
        if (cells->cell[i].key != 0) {
            more.cell[cell_place(&more, cells->cell[i].key)] = cells->cell[i];
        }
    }
    more.used = cells->used;
    free(cells->cell);
    *cells = more;
    return true;
}

enum ph_rc
bl_cells_add(struct bl_cells *cells, uint64_t key, int64_t count,
             int64_t amount)
{
    size_t at = cell_place(cells, key);

    if (cells->cell[at].key == 0) {
        if (cells->used * 2 >= cells->size) {
            if (!cells_grow(cells)) {
                return PH_E_FULL;
            }
            at = cell_place(cells, key);
        }
        cells->cell[at].key = key;
        cells->used++;
    }
    struct bl_cell *cell = &cells->cell[at];
    return __builtin_add_overflow(cell->count, count, &cell->count)
                   || __builtin_add_overflow(cell->amount, amount,
                                             &cell->amount)
               ? PH_E_RANGE
               : PH_OK;
}

bool
bl_sums_init(struct bl_sums *sums)
{
    memset(sums, 0, sizeof(*sums));
    sums->dim      = calloc(DIMS_FIRST, sizeof(*sums->dim));
    sums->dim_size = DIMS_FIRST;
    return bl_cells_init(&sums->cells) && sums->dim != NULL;
}

void
bl_sums_deinit(struct bl_sums *sums)
{
    free(sums->cells.cell);
    free(sums->dim);
    memset(sums, 0, sizeof(*sums));
}

void
bl_sums_clear(struct bl_sums *sums)
{
    bl_cells_clear(&sums->cells);
    sums->dims         = 0;
    sums->dim_last     = 0;
    sums->account_last = 0;
    sums->xids         = 0;
    sums->has_pending  = false;
    sums->transactions = 0;
    sums->row_changes  = 0;
    sums->first_ns     = 0;
    sums->unsure[0]    = '\0';
}

bool
bl_sums_is_idle(const struct bl_sums *sums)
{
    return sums->cells.used == 0 && sums->xids == 0 && sums->unsure[0] == '\0';
}

static bool
dim_is(const struct bl_dim *dim, const struct bl_dim *like)
{
    return dim->is_account == like->is_account
           && dim->channel_len == like->channel_len
           && dim->method_len == like->method_len
           && memcmp(dim->channel, like->channel, like->channel_len) == 0
           && memcmp(dim->method, like->method, like->method_len) == 0
           && memcmp(dim->currency, like->currency, BL_CURRENCY_LEN) == 0;
}

static bool
dims_grow(struct bl_sums *sums)
{
    size_t size = sums->dim_size * 2;

    if (sums->dims < sums->dim_size) {
        return true;
    }
    if (size == 0 || size > BL_DIMS_MAX) {
        return false;
    }
    struct bl_dim *more = realloc(sums->dim, size * sizeof(*more));
    if (more == NULL) {
        return false;
    }
    sums->dim      = more;
    sums->dim_size = size;
    return true;
}

/*
 * A batch meets a handful of dimensions, mostly the one before again: that
 * one first, then the others from the first on.
 */
static enum ph_rc
dim_find(struct bl_sums *sums, const struct bl_dim *like, size_t *last,
         uint16_t *dim)
{
    size_t at = *last;

    if (at >= sums->dims || !dim_is(&sums->dim[at], like)) {
        at = 0;
        while (at < sums->dims && !dim_is(&sums->dim[at], like)) {
            at++;
        }
    }
    if (at == sums->dims) {
        if (!dims_grow(sums)) {
            return PH_E_FULL;
        }
        sums->dim[sums->dims++] = *like;
    }
    *last = at;
    *dim  = (uint16_t) at;
    return PH_OK;
}

static void
dim_text(char *to, uint8_t *len, struct ph_str text)
{
    *len = (uint8_t) text.len;
    if (text.len != 0) {
        memcpy(to, text.ptr, text.len);
    }
}

enum ph_rc
bl_sums_dim(struct bl_sums *sums, struct ph_str channel, struct ph_str method,
            struct ph_str currency, uint16_t *dim)
{
    struct bl_dim like = { .is_account = false };

    if (channel.len > BL_DIM_TEXT_MAX || method.len > BL_DIM_TEXT_MAX
        || currency.len != BL_CURRENCY_LEN)
    {
        return PH_E_RANGE;
    }
    dim_text(like.channel, &like.channel_len, channel);
    dim_text(like.method, &like.method_len, method);
    memcpy(like.currency, currency.ptr, BL_CURRENCY_LEN);
    return dim_find(sums, &like, &sums->dim_last, dim);
}

enum ph_rc
bl_sums_account(struct bl_sums *sums, struct ph_str account, uint16_t *dim)
{
    struct bl_dim like = { .is_account = true };

    if (account.len > BL_DIM_TEXT_MAX) {
        return PH_E_RANGE;
    }
    dim_text(like.channel, &like.channel_len, account);
    return dim_find(sums, &like, &sums->account_last, dim);
}

uint8_t
bl_sums_xid(struct bl_sums *sums, struct ph_str text)
{
    for (size_t i = 0; i < sums->xids; i++) {
        if (ph_str_eq(ph_str_z(sums->xid[i].text), text)) {
            return (uint8_t) (i + 1);
        }
    }
    if (sums->xids == BL_XIDS_MAX || text.len >= BL_XID_TEXT_MAX) {
        return 0;
    }
    struct bl_xid *xid = &sums->xid[sums->xids++];
    memcpy(xid->text, text.ptr, text.len);
    xid->text[text.len] = '\0';
    xid->is_resolved    = false;
    xid->is_committed   = false;
    return (uint8_t) sums->xids;
}

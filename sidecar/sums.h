/*
 * sums.h - what one batch of transactions adds up to.
 *
 * A cell is (minute, happening, dimension, XA transaction) -> count, amount;
 * a dimension is (channel, method, currency), or an account, whose cells have
 * counts alone.  Open addressing over one array; memory is kept from batch to
 * batch, so that the steady state allocates nothing.  Bounded by BL_CELLS_MAX,
 * BL_DIMS_MAX and BL_XIDS_MAX.
 */
#ifndef SIDECAR_SUMS_H
#define SIDECAR_SUMS_H

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"
#include "sidecar/position.h"

#define BL_CELLS_MAX (1u << 18)
#define BL_DIMS_MAX 4096
#define BL_XIDS_MAX 250
#define BL_DIM_TEXT_MAX 32 /* of each of its texts, as in the schema */
#define BL_CURRENCY_LEN 3
#define BL_XID_TEXT_MAX 320 /* format, gtrid and bqual in hex */
#define BL_HINT_MAX 288     /* file name and position */
#define BL_UNSURE_MAX 96

struct bl_dim {
    bool    is_account; /* channel is its id, the others are empty */
    uint8_t channel_len;
    uint8_t method_len;
    char    channel[BL_DIM_TEXT_MAX];
    char    method[BL_DIM_TEXT_MAX];
    char    currency[BL_CURRENCY_LEN];
};

struct bl_cell {
    uint64_t key; /* 0 = free; see bl_cell_*() */
    int64_t  count;
    int64_t  amount;
};

/* a prepared XA transaction that this batch prepares, commits or rolls back */
struct bl_xid {
    char text[BL_XID_TEXT_MAX]; /* NUL-terminated */
    bool is_resolved;           /* its pending sums are to be taken out */
    bool is_committed;          /* and added to the counters */
};

struct bl_cells {
    struct bl_cell *cell;
    size_t          size; /* a power of two */
    size_t          used;
};

struct bl_sums {
    struct bl_cells cells;
    struct bl_dim  *dim;
    size_t          dim_size;
    size_t          dims;
    size_t          dim_last;     /* the one used last */
    size_t          account_last; /* the account */
    struct bl_xid   xid[BL_XIDS_MAX];
    size_t          xids; /* cells with XA number n belong to xid[n - 1] */
    bool            has_pending;

    /* of the batch as a whole */
    struct bl_position position; /* after its last transaction */
    uint64_t           transactions;
    uint64_t           row_changes;
    uint64_t           first_ns; /* monotonic, when its first one ended */
    uint64_t           at_ms;    /* up to when the counters hold everything */
    char               hint[BL_HINT_MAX];
    char               unsure[BL_UNSURE_MAX]; /* why; empty = sure */
};

bool bl_sums_init(struct bl_sums *sums);
void bl_sums_deinit(struct bl_sums *sums);

/* Empty again; memory that one giant batch took is given back. */
void bl_sums_clear(struct bl_sums *sums);

/* nothing that Redis must hear of but the position */
bool bl_sums_is_idle(const struct bl_sums *sums);

/* PH_E_RANGE: a text longer than the schema's; PH_E_FULL: too many */
enum ph_rc bl_sums_dim(struct bl_sums *sums, struct ph_str channel,
                       struct ph_str method, struct ph_str currency,
                       uint16_t *dim) PH_MUST_CHECK;
enum ph_rc bl_sums_account(struct bl_sums *sums, struct ph_str account,
                           uint16_t *dim) PH_MUST_CHECK;

/* the number of an XA transaction in this batch, from 1; 0 = too many */
uint8_t bl_sums_xid(struct bl_sums *sums, struct ph_str text);

/* PH_E_FULL: more cells than BL_CELLS_MAX; PH_E_RANGE: a sum overflows */
enum ph_rc bl_cells_add(struct bl_cells *cells, uint64_t key, int64_t count,
                        int64_t amount) PH_MUST_CHECK;
bool       bl_cells_init(struct bl_cells *cells);
void       bl_cells_clear(struct bl_cells *cells);

/*
 * Key parts: minute 32 bits, whether the dimension is an account 1, happening
 * 7 (stored + 1), XA 8, dimension 16.
 */
#define BL_CELL_ACCOUNT (UINT64_C(1) << 31)

static inline uint64_t
bl_cell_key(uint32_t bucket, unsigned happening, uint8_t xa, uint16_t dim)
{
    return (uint64_t) bucket << 32 | (uint64_t) (happening + 1) << 24
           | (uint64_t) xa << 16 | dim;
}

static inline uint32_t
bl_cell_bucket(uint64_t key)
{
    return (uint32_t) (key >> 32);
}

static inline unsigned
bl_cell_happening(uint64_t key)
{
    return (unsigned) (key >> 24 & 0x7f) - 1;
}

static inline bool
bl_cell_is_account(uint64_t key)
{
    return (key & BL_CELL_ACCOUNT) != 0;
}

static inline uint8_t
bl_cell_xa(uint64_t key)
{
    return (uint8_t) (key >> 16 & 0xff);
}

static inline uint16_t
bl_cell_dim(uint64_t key)
{
    return (uint16_t) (key & 0xffff);
}

#endif

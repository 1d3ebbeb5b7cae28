/* view.c - see view.h. */
#include "worker/view.h"

#include "worker/time_text.h"

void
wk_view_key(struct ph_buf *buf, const char *key)
{
    char last = buf->len > 0 ? buf->ptr[buf->len - 1] : '{';

    if (last != '{' && last != '[') {
        ph_buf_byte(buf, ',');
    }
    ph_buf_byte(buf, '"');
    ph_buf_add(buf, ph_str_z(key));
    ph_buf_add(buf, PH_STR("\":"));
}

void
wk_view_text(struct ph_buf *buf, const char *key, struct ph_str text)
{
    wk_view_key(buf, key);
    if (text.len == 0) {
        ph_buf_add(buf, PH_STR("null"));
    } else {
        ph_buf_json(buf, text);
    }
}

void
wk_view_json(struct ph_buf *buf, const char *key, struct ph_str json)
{
    wk_view_key(buf, key);
    ph_buf_add(buf, json.len != 0 ? json : PH_STR("null"));
}

void
wk_view_number(struct ph_buf *buf, const char *key, int64_t value)
{
    wk_view_key(buf, key);
    ph_buf_i64(buf, value);
}

void
wk_view_time(struct ph_buf *buf, const char *key, uint64_t ms)
{
    wk_view_key(buf, key);
    if (ms == 0) {
        ph_buf_add(buf, PH_STR("null"));
        return;
    }
    ph_buf_byte(buf, '"');
    wk_time_iso(buf, ms);
    ph_buf_byte(buf, '"');
}

void
wk_view_error(struct ph_buf *buf, struct ph_str code, struct ph_str message,
              struct ph_str channel_code)
{
    wk_view_key(buf, "error");
    if (code.len == 0) {
        ph_buf_add(buf, PH_STR("null"));
        return;
    }
    ph_buf_byte(buf, '{');
    wk_view_text(buf, "code", code);
    wk_view_text(buf, "message", message);
    wk_view_text(buf, "channel_code", channel_code);
    ph_buf_byte(buf, '}');
}

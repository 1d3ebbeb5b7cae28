/*
 * html.h - pages that hand a payer over to a channel.
 */
#ifndef PH_CHANNEL_HTML_H
#define PH_CHANNEL_HTML_H

#include "libpayhub/wire/form.h"

/* The text as content or attribute value: & < > " ' escaped. */
void ph_html_escape(struct ph_buf *buf, struct ph_str text);

/*
 * A whole page in UTF-8 that posts the pairs to `url` as soon as it is shown.
 * Where scripts are off or forbidden by the page's policy, its button does.
 */
void ph_html_form(struct ph_buf *buf, struct ph_str url,
                  const struct ph_pair *pairs, size_t count);

#endif

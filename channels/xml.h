/*
 * xml.h - the XML of answers and notices as a document of pick.h: what the
 * outermost element holds are the members, each a text or again such a set.
 *
 * Messages of channels are flat or a little nested, so all that could make two
 * readers see two things is refused: a document type, entities but the five
 * predefined ones and character references, processing instructions, comments,
 * attributes, an element twice in its parent, text beside elements.  Nothing
 * is ever fetched from anywhere.
 */
#ifndef PH_CHANNEL_XML_H
#define PH_CHANNEL_XML_H

#include "channels/pick.h"

#define PH_XML_ELEMENTS_MAX 512 /* in one document */
#define PH_XML_NAME_MAX 128     /* bytes of an element's name */

/*
 * As ph_doc_json() does; PH_E_RANGE also for more than PH_XML_ELEMENTS_MAX.
 * `room` holds the texts while it reads: body.len bytes, given back.
 */
enum ph_rc ph_doc_xml(struct ph_doc **out, struct ph_str body,
                      struct ph_arena *room) PH_MUST_CHECK;

#endif

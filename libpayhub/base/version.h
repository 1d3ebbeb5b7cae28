/* version.h - the one place that names the release. */
#ifndef PH_BASE_VERSION_H
#define PH_BASE_VERSION_H

#define PH_VERSION "0.1.0"

#endif

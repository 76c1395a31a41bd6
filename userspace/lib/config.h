/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The configuration file: [uploader], [defaults] and a [mapping NAME] each, lines of
 * `name = value`. A comment is a line that begins with `#` or `;`; inside a value they
 * are what they are. `include` and `exclude` may stand several times in a section: their
 * values are joined by newlines.
 */
#ifndef LIB_CONFIG_H
#define LIB_CONFIG_H

#include <stddef.h>

#include "lib/error.h"

#define CONFIG_PATH		"/etc/azure-storage/azure-storage.conf"
#define CONFIG_VALUE_MAX	4096	/* bytes */

struct config_value {
	char *name;
	char *value;
	int line;			/* where it stands, from 1 */
};

struct config_section {
	char *name;			/* of the mapping; else "uploader", "defaults" */
	int line;
	struct config_value *values;	/* in the order of the file */
	size_t nr;
};

struct config {
	struct config_section uploader;
	struct config_section defaults;
	struct config_section *mappings;	/* in the order of the file */
	size_t nr_mappings;
};

/*
 * -ENOENT: no such file; -EINVAL: `e` says the line and what is wrong with it. A name
 * or section that is given twice is an error, as is an unknown section.
 */
int config_load(struct config **out, const char *path, struct error *e);
void config_free(struct config *c);

/* NULL if the section does not have it. */
const char *config_get(const struct config_section *s, const char *name);
/* Own value, or that of [defaults]; NULL if neither has it. */
const char *config_mapping_get(const struct config *c, const struct config_section *s,
			       const char *name);

/* A whole number within bounds, or `fallback` where there is none. */
int config_get_u64(const struct config_section *s, const char *name, unsigned long long min,
		   unsigned long long max, unsigned long long fallback,
		   unsigned long long *value, struct error *e);

#endif /* LIB_CONFIG_H */

/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "cli/cli.h"

#include <errno.h>
#include <libsmartcols.h>
#include <stdlib.h>
#include <unistd.h>

struct cli_table {
	struct libscols_table *scols;
	size_t nr;
};

struct cli_table *cli_table_new(const struct cli_column *columns, size_t nr)
{
	struct cli_table *t = calloc(1, sizeof(*t));
	bool terminal = isatty(STDOUT_FILENO);

	if (!t)
		return NULL;
	t->nr = nr;
	t->scols = scols_new_table();
	if (!t->scols)
		goto err_free;
	scols_table_enable_colors(t->scols, terminal && !getenv("NO_COLOR"));
	scols_table_enable_maxout(t->scols, 0);
	scols_table_enable_nowrap(t->scols, !terminal);
	for (size_t i = 0; i < nr; i++)
		if (!scols_table_new_column(t->scols, columns[i].name, 0,
					    columns[i].right ? SCOLS_FL_RIGHT : 0))
			goto err_free;
	return t;

err_free:
	cli_table_free(t);
	return NULL;
}

void cli_table_free(struct cli_table *t)
{
	if (!t)
		return;
	scols_unref_table(t->scols);
	free(t);
}

int cli_table_add(struct cli_table *t, const char *const *cells, const char *colour)
{
	struct libscols_line *line = scols_table_new_line(t->scols, NULL);

	if (!line)
		return -ENOMEM;
	if (colour)
		scols_line_set_color(line, colour);
	for (size_t i = 0; i < t->nr; i++)
		if (scols_line_set_data(line, i, cells[i]))
			return -ENOMEM;
	return 0;
}

int cli_table_print(struct cli_table *t)
{
	return scols_print_table(t->scols);
}

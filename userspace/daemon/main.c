/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * azure-storage-uploader. Exit codes: 0 stopped as it was told to, 1 it cannot go on (the log says
 * why), 2 usage.
 */
#include <malloc.h>
#include <stdlib.h>

#include "daemon/daemon.h"

int main(int argc, char **argv)
{
	struct settings settings;
	struct options options;
	struct error e = { 0 };

	options_parse(&options, argc, argv);
	log_init("azure-storage-uploader", options.level);
	/* What one thread allocates another frees: many arenas would each keep their share. */
	mallopt(M_ARENA_MAX, 2);
	if (confine(&options, &e) || settings_load(&settings, &options, &e)) {
		log_error("%s", e.message);
		return EXIT_FAILURE;
	}
	return serve(&options, &settings);
}

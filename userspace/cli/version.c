/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "cli/cli.h"

#include <argp.h>
#include <stdlib.h>

#include "lib/sysfs.h"
#include "lib/version.h"

int cmd_version(int argc, char **argv)
{
	const struct argp argp = { .doc = "Versions of this program, of the module in memory and "
					  "of the protocol between module and uploader." };
	char *abi, *module;

	if (argp_parse(&argp, argc, argv, 0, NULL, NULL))
		return CLI_USAGE;
	printf(CLI_NAME " %s\n", version_string);
	if (sysfs_module_read("abi_version", &abi, NULL)) {
		puts("module azure_storage: not loaded");
		return CLI_DONE;
	}
	if (sysfs_module_version(&module, NULL))
		module = NULL;
	printf("module azure_storage: %s, protocol %s\n", module ? module : "(no version)", abi);
	free(module);
	free(abi);
	return CLI_DONE;
}

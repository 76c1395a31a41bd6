// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* azure_storage.ko: sees what changes below mapped folders and hands it to an uploader. */
#include <linux/init.h>
#include <linux/module.h>

#include "chardev.h"
#include "configfs.h"
#include "dirty.h"
#include "mapping.h"
#include "stats.h"
#include "watch.h"

static int __init azs_init(void)
{
	int err;

	err = azs_stats_init();
	if (err)
		return err;
	err = azs_dirty_init();
	if (err)
		goto err_stats_exit;
	err = azs_watch_init();
	if (err)
		goto err_dirty_exit;
	err = azs_mapping_init();
	if (err)
		goto err_watch_exit;
	err = azs_chardev_init();
	if (err)
		goto err_mapping_exit;
	/* Last: from here on there may be mappings. */
	err = azs_configfs_init();
	if (err)
		goto err_chardev_exit;
	pr_info("Azure Storage Module loaded to memory\n");
	return 0;

err_chardev_exit:
	azs_chardev_exit();
err_mapping_exit:
	azs_mapping_exit();
err_watch_exit:
	azs_watch_exit();
err_dirty_exit:
	azs_dirty_exit();
err_stats_exit:
	azs_stats_exit();
	return err;
}

static void __exit azs_exit(void)
{
	azs_configfs_exit();
	azs_chardev_exit();
	azs_mapping_exit();
	azs_watch_exit();
	azs_dirty_exit();
	azs_stats_exit();
	pr_info("Azure Storage Module unloaded from memory\n");
}

module_init(azs_init);
module_exit(azs_exit);

MODULE_DESCRIPTION("Maps folders to an Azure storage account");
MODULE_VERSION(AZS_VERSION);
MODULE_LICENSE("Dual MIT/GPL");

// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * What to map: mkdir makes a mapping, its files are the rows of azs_attrs[].
 *
 * An item holds its mapping until rmdir. mkdir and rmdir run under the
 * subsystem's su_mutex; stores of one mapping are ordered by m->lock. A mapping
 * that is not disabled has a dependency on its item, so that rmdir answers EBUSY.
 */
#include <linux/capability.h>
#include <linux/configfs.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "attrs.h"
#include "configfs.h"
#include "mapping.h"

struct azs_item {
	struct config_item item;
	struct azs_mapping *m;
};

static struct configfs_subsystem azs_subsys;
static unsigned int azs_nr_items;	/* [su_mutex] */

static struct azs_mapping *azs_mapping_of_item(struct config_item *item)
{
	return container_of(item, struct azs_item, item)->m;
}

/* A good store leaves no reason behind. */
static void azs_clear_error_locked(struct azs_mapping *m)
{
	lockdep_assert_held(&m->lock);
	kfree(m->last_error);
	m->last_error = NULL;
}

/*
 * Who may store? configfs honours chown and chmod, but what is stored here makes
 * the kernel open files for another process.
 */
static int azs_check_caller_locked(struct azs_mapping *m, const char *attr)
{
	if (capable(CAP_SYS_ADMIN))
		return 0;
	azs_mapping_error(m, attr, "storing needs CAP_SYS_ADMIN in the initial user namespace");
	return -EPERM;
}

/* ---- the attributes of the table ---- */

static ssize_t azs_attr_show(struct config_item *item, enum azs_attr_id id, char *page)
{
	struct azs_mapping *m = azs_mapping_of_item(item);
	size_t len;

	mutex_lock(&m->lock);
	len = azs_attr_print(m, id, page, PAGE_SIZE - 1);
	mutex_unlock(&m->lock);
	page[len] = '\n';
	return len + 1;
}

static int azs_attr_store_locked(struct azs_mapping *m, enum azs_attr_id id, const char *page,
				 size_t len)
{
	const char *name = azs_attrs[id].name, *reason;
	char *value = NULL;
	int err;

	err = azs_check_caller_locked(m, name);
	if (err)
		return err;
	if (m->phase != AZS_DISABLED) {
		azs_mapping_error(m, name, "cannot be changed while the mapping is enabled or draining");
		return -EBUSY;
	}
	err = azs_attr_check(id, page, len, &reason);
	if (err) {
		azs_mapping_error(m, name, "%s", reason);
		return err;
	}
	len = azs_attr_normal_len(id, page, len);
	if (len) {
		value = kmemdup_nul(page, len, GFP_KERNEL);
		if (!value)
			return -ENOMEM;
	}
	kfree(m->attr[id]);
	m->attr[id] = value;
	azs_clear_error_locked(m);
	return 0;
}

static ssize_t azs_attr_store(struct config_item *item, enum azs_attr_id id, const char *page,
			      size_t count)
{
	struct azs_mapping *m = azs_mapping_of_item(item);
	size_t len = count;
	char *text;
	int err;

	/* With its newline, if it has one: a longer write arrives in pieces. */
	if (len <= AZS_ATTR_MAX && len && page[len - 1] == '\n')
		len--;
	text = kmemdup_nul(page, len, GFP_KERNEL);
	if (!text)
		return -ENOMEM;
	mutex_lock(&m->lock);
	err = azs_attr_store_locked(m, id, text, len);
	mutex_unlock(&m->lock);
	kfree(text);
	return err ?: count;
}

#define AZS_ATTR_FILE(id, name) \
static ssize_t azs_##name##_show(struct config_item *item, char *page) \
{ \
	return azs_attr_show(item, AZS_ATTR_##id, page); \
} \
static ssize_t azs_##name##_store(struct config_item *item, const char *page, size_t count) \
{ \
	return azs_attr_store(item, AZS_ATTR_##id, page, count); \
} \
CONFIGFS_ATTR(azs_, name);

AZS_ATTR_LIST(AZS_ATTR_FILE)

/* ---- enable, last_error ---- */

static ssize_t azs_enable_show(struct config_item *item, char *page)
{
	struct azs_mapping *m = azs_mapping_of_item(item);

	return scnprintf(page, PAGE_SIZE, "%d\n", READ_ONCE(m->phase) == AZS_LIVE);
}

static int azs_enable_check(struct azs_mapping *m, const char *page, size_t count)
{
	int err;

	mutex_lock(&m->lock);
	err = azs_check_caller_locked(m, "enable");
	if (!err && (count < 1 || (page[0] != '0' && page[0] != '1') ||
		     (count > 1 && (count != 2 || page[1] != '\n')))) {
		azs_mapping_error(m, "enable", "must be 0 or 1");
		err = -EINVAL;
	}
	mutex_unlock(&m->lock);
	return err;
}

static int azs_item_enable(struct config_item *item)
{
	struct azs_mapping *m = azs_mapping_of_item(item);
	int err;

	/* First: from enable on it may be disabled and drained at any time. */
	err = configfs_depend_item_unlocked(&azs_subsys, item);
	if (err)
		return err;
	err = azs_mapping_enable(m);
	if (err)
		azs_configfs_undepend(item);
	return err;
}

static ssize_t azs_enable_store(struct config_item *item, const char *page, size_t count)
{
	struct azs_mapping *m = azs_mapping_of_item(item);
	int err;

	err = azs_enable_check(m, page, count);
	if (!err)
		err = page[0] == '1' ? azs_item_enable(item) : azs_mapping_disable(m);
	if (err)
		return err;
	mutex_lock(&m->lock);
	azs_clear_error_locked(m);
	mutex_unlock(&m->lock);
	return count;
}
CONFIGFS_ATTR(azs_, enable);

static ssize_t azs_last_error_show(struct config_item *item, char *page)
{
	struct azs_mapping *m = azs_mapping_of_item(item);
	ssize_t len;

	mutex_lock(&m->lock);
	len = scnprintf(page, PAGE_SIZE, "%s\n", m->last_error ?: "");
	mutex_unlock(&m->lock);
	return len;
}
CONFIGFS_ATTR_RO(azs_, last_error);

static struct configfs_attribute *azs_item_attrs[] = {
#define AZS_ATTR_POINTER(id, name)	&azs_attr_##name,
	AZS_ATTR_LIST(AZS_ATTR_POINTER)
#undef AZS_ATTR_POINTER
	&azs_attr_enable,
	&azs_attr_last_error,
	NULL,
};

/* ---- mkdir, rmdir ---- */

static void azs_item_release(struct config_item *item)
{
	struct azs_item *it = container_of(item, struct azs_item, item);

	azs_mapping_put(it->m);
	kfree(it);
}

static struct configfs_item_operations azs_item_ops = {
	.release = azs_item_release,
};

static const struct config_item_type azs_item_type = {
	.ct_owner = THIS_MODULE,
	.ct_item_ops = &azs_item_ops,
	.ct_attrs = azs_item_attrs,
};

static bool azs_is_mapping_name(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return !name[len] && len >= 1 && len <= AZS_NAME_MAX && name[0] != '-';
}

static struct config_item *azs_item_make(struct config_group *group, const char *name)
{
	struct azs_item *it;

	if (!azs_is_mapping_name(name)) {
		pr_warn_ratelimited("%*pE: not a name of a mapping: 1 to 63 characters of a-z, 0-9 and '-', not first '-'\n",
				    (int)strnlen(name, NAME_MAX), name);
		return ERR_PTR(-EINVAL);
	}
	if (azs_nr_items >= AZS_MAX_MAPPINGS) {
		pr_warn_ratelimited("%s: there are %d mappings already\n", name, AZS_MAX_MAPPINGS);
		return ERR_PTR(-ENOSPC);
	}
	it = kzalloc(sizeof(*it), GFP_KERNEL);
	if (!it)
		return ERR_PTR(-ENOMEM);
	it->m = azs_mapping_create(name);
	if (IS_ERR(it->m)) {
		struct config_item *err = ERR_CAST(it->m);

		kfree(it);
		return err;
	}
	azs_mapping_get(it->m);		/* put by azs_item_release() */
	it->m->item = &it->item;
	config_item_init_type_name(&it->item, name, &azs_item_type);
	azs_nr_items++;
	return &it->item;
}

static void azs_item_drop(struct config_group *group, struct config_item *item)
{
	struct azs_mapping *m = azs_mapping_of_item(item);

	/*
	 * configfs looks at dependencies before it shuts out stores, so one that
	 * enables may have come between: this rmdir can no longer be refused.
	 */
	mutex_lock(&m->lock);
	m->item = NULL;
	mutex_unlock(&m->lock);
	azs_mapping_disable(m);
	azs_mapping_destroy(m);
	azs_nr_items--;
	config_item_put(item);
}

static struct configfs_group_operations azs_group_ops = {
	.make_item = azs_item_make,
	.drop_item = azs_item_drop,
};

static const struct config_item_type azs_subsys_type = {
	.ct_owner = THIS_MODULE,
	.ct_group_ops = &azs_group_ops,
};

static struct configfs_subsystem azs_subsys = {
	.su_group.cg_item.ci_namebuf = "azure_storage",
	.su_group.cg_item.ci_type = &azs_subsys_type,
};

void azs_configfs_undepend(struct config_item *item)
{
	if (item)	/* else it went already, see azs_item_drop() */
		configfs_undepend_item(item);
}

int azs_configfs_init(void)
{
	config_group_init(&azs_subsys.su_group);
	mutex_init(&azs_subsys.su_mutex);
	return configfs_register_subsystem(&azs_subsys);
}

void azs_configfs_exit(void)
{
	configfs_unregister_subsystem(&azs_subsys);
}

/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * An uploader whose cloud is a table in memory. It follows the rules of the real one: a file is
 * skipped by stat only if its row may be trusted, is committed only when QUIET or LAGGED,
 * and the table is changed only after the path was looked at again. In the end the
 * table must hold the tree: what the module has not said would be missing in it.
 *
 * While it works it checks what the module promises at every step: no path out twice,
 * only regular files opened, sequences given back unchanged.
 */
#ifndef AZS_TESTS_VM_ORACLE_H
#define AZS_TESTS_VM_ORACLE_H

#include "azs.h"

struct oracle;

/* Starts with an empty table. Stopped when the test ends. */
struct oracle *oracle_start(const char *mapping, unsigned int workers);
/*
 * The uploader dies: the device is closed under it, what is out is lost, the table stays
 * with what was committed.
 */
void oracle_kill(struct oracle *o);
void oracle_resume(struct oracle *o, unsigned int workers);

/* Waits until the mapping is at rest and no file of it is open for writing. */
void oracle_settle(struct oracle *o, unsigned int timeout_ms);
/* The table must equal the tree below this folder. */
void oracle_check(struct oracle *o, const char *folder);
/*
 * From here on each step takes up to this long, at random: what is out stays out longer, and more
 * can happen to it.
 */
void oracle_dawdle(struct oracle *o, unsigned int max_us);
/* Files whose content was read. */
unsigned long oracle_uploads(const struct oracle *o);
/* Times that an entry of its own was found busy or not quiet: somebody was at the file. */
unsigned long oracle_disturbed(const struct oracle *o);

#endif

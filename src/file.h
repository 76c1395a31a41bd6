/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* OPEN, SCAN, STAT, READLINK: confined below a mapping's root, under the credentials of the one who enabled it. */
#ifndef AZS_FILE_H
#define AZS_FILE_H

#include "mapping.h"

struct azs_scans;	/* directory scans of one open device */

struct azs_scans *azs_scans_alloc(void);
void azs_scans_free(struct azs_scans *s);
/* Ends the scans of a mapping that goes down. */
void azs_scans_drop_mapping(struct azs_scans *s, struct azs_mapping *m);

/* Each may sleep and wait for fanotify permission listeners; negative errno. The
 * structures are kernel copies, the pointers within them user addresses. */
int azs_file_open(struct azs_mapping *m, struct azs_open *req, struct file **filp);
int azs_file_scan(struct azs_scans *s, struct azs_mapping *m, struct azs_scan *req);
int azs_file_stat(struct azs_mapping *m, struct azs_stat_req *req);
int azs_file_readlink(struct azs_mapping *m, struct azs_readlink *req);

#endif /* AZS_FILE_H */

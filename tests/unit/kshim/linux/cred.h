/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef KSHIM_CRED_H
#define KSHIM_CRED_H

struct cred;

#endif /* KSHIM_CRED_H */

/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef LIB_VERSION_H
#define LIB_VERSION_H

/* Of the package, as debian/changelog has it. */
extern const char version_string[];

#endif /* LIB_VERSION_H */

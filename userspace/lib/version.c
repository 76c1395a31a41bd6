/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "lib/version.h"

const char version_string[] = AZS_VERSION;

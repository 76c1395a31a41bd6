/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* cmocka with the headers that it expects to have been included. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif /* TESTS_UNIT_H */

# SPDX-License-Identifier: MIT OR GPL-2.0-only
lib_kdev_record_test_CPPFLAGS := -Isrc/uapi

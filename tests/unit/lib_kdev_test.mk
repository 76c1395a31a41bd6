# SPDX-License-Identifier: MIT OR GPL-2.0-only
# The test answers ioctl(2) in the kernel's place.
lib_kdev_test_CPPFLAGS := -Isrc/uapi
lib_kdev_test_LDFLAGS := -Wl,--wrap=ioctl

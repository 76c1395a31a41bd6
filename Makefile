# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# azure-storage: the kernel module, the uploader, the control program, their tests.
#
#   make              what can be built here: userspace, and the module if the
#                     headers of the running kernel (or of KDIR) are installed
#   make check        all tests; the last line is `N passed, N failed`
#   make demo         see it work, in a throw-away machine
#   make deb          Debian packages, in build/deb
#   make load         load the module into this kernel; `make unload` takes it out
#   make help         this, and: userspace, module, deps (installs what building
#                     needs), install, lint, check-unit, check-azurite, check-vm,
#                     demo-shell, bench, clean

VERSION := $(shell sed -n '1s/.*(\([^)]*\).*/\1/p' debian/changelog)

B := build
KDIR ?= /lib/modules/$(shell uname -r)/build
PREFIX ?= /usr
DESTDIR ?=

# ------------------------------------------------------------------ userspace

WERROR ?= -Werror
WARN := -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla $(WERROR)
CFLAGS ?= -O2 -g
PKGS := libcurl libcrypto sqlite3 json-c expat libsystemd smartcols

# Packages are looked up once, and only by the targets that compile.
LIBS = $(eval LIBS := $(shell pkg-config --libs $(PKGS)))$(LIBS)
PKG_CFLAGS = $(eval PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS)))$(PKG_CFLAGS)
USER_CPPFLAGS = -D_GNU_SOURCE -Iuserspace $(PKG_CFLAGS) $(CPPFLAGS)
USER_CFLAGS := -std=gnu11 -pthread $(WARN) $(CFLAGS)
USER_LDFLAGS := -pthread -Wl,--as-needed $(LDFLAGS)

LIB_SRC := $(sort $(wildcard $(addprefix userspace/,lib/*.c azure/*.c state/*.c engine/*.c)))
UPLOADER_SRC := $(sort $(wildcard userspace/daemon/*.c))
CTL_SRC := $(sort $(wildcard userspace/cli/*.c))
USER_SRC := $(LIB_SRC) $(UPLOADER_SRC) $(CTL_SRC)

# Two trees of objects, the second with sanitizers, for the tests.
objs = $(patsubst %.c,$(B)/$(1)/%.o,$(2))

.PHONY: all
all: userspace
ifneq ($(wildcard $(KDIR)/Makefile),)
all: module
else
	@echo "no kernel headers in $(KDIR): the module was not built"
	@echo "(apt install linux-headers-$$(uname -r), or name others with KDIR=)"
endif

.PHONY: deps
deps:
	@bash -c 'set -eu; . tests/lib/common.sh; . tests/lib/need.sh; need $$AZS_NEED_USERSPACE'

.PHONY: userspace
userspace: $(B)/azure-storage-uploader $(B)/azure-storagectl

$(B)/azure-storage-uploader: $(call objs,obj,$(UPLOADER_SRC) $(LIB_SRC))
$(B)/azure-storagectl: $(call objs,obj,$(CTL_SRC) $(LIB_SRC))
$(B)/azure-storage-uploader $(B)/azure-storagectl:
	$(CC) $(USER_CFLAGS) $(USER_LDFLAGS) -o $@ $^ $(LIBS)

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(USER_CPPFLAGS) $(EXTRA_CPPFLAGS) $(USER_CFLAGS) -MMD -MP -c -o $@ $<

# The device files alone know the protocol with the kernel, one file alone the version.
KDEV_SRC := userspace/lib/kdev.c userspace/lib/kdev_record.c
KDEV_OBJS := $(call objs,obj,$(KDEV_SRC)) $(call objs,asan,$(KDEV_SRC))
VERSION_OBJS := $(call objs,obj,userspace/lib/version.c) $(call objs,asan,userspace/lib/version.c)
$(KDEV_OBJS): EXTRA_CPPFLAGS := -Isrc/uapi
$(VERSION_OBJS): EXTRA_CPPFLAGS := -DAZS_VERSION='"$(VERSION)"'
$(VERSION_OBJS): debian/changelog

# --------------------------------------------------------------------- module

.PHONY: module
module:
	$(MAKE) -C $(KDIR) M=$(CURDIR)/src AZS_VERSION=$(VERSION) modules

SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

.PHONY: load unload
load: module
	$(SUDO) modprobe configfs
	$(SUDO) insmod src/azure_storage.ko
	@echo "loaded; what it says: dmesg | tail"

# In the order in which they hold one another: mappings, the uploader, the module.
UPLOADER_PID := /sys/class/misc/azure_storage/uploader_pid
UNITS_RUNNING := azure-storage-unmap.service azure-storage-uploader.service
unload: $(B)/azure-storagectl
	@[ ! -d /run/systemd/system ] || $(SUDO) systemctl stop $(UNITS_RUNNING) 2>/dev/null || true
	$(SUDO) $(B)/azure-storagectl apply --prune /dev/null
	@pid=$$(cat $(UPLOADER_PID)); [ "$$pid" = 0 ] || $(SUDO) kill "$$pid"
	@n=0; while [ "$$(cat $(UPLOADER_PID))" != 0 ] && [ $$n -lt 100 ]; do \
		n=$$((n + 1)); sleep 0.1; done
	$(SUDO) rmmod azure_storage

# ---------------------------------------------------------------------- tests

SUITES := check-unit lint check-azurite check-vm check-e2e

# Every suite runs, whatever the others say; the last line is `N passed, N failed`.
.PHONY: check
check:
	@tests/check $(SUITES)

.PHONY: check-unit check-azurite check-vm check-e2e lint demo demo-shell bench
check-unit:
	@tests/unit/run
check-azurite:
	@tests/azurite/run
check-vm:
	@tests/vm/run-all
check-e2e: deb
	@status=0; export AZS_DEBS_BUILT=1; for suite in run packages; do \
		tests/e2e/$$suite || status=1; done; exit $$status
lint:
	@tests/lint/run
demo:
	@tests/demo/demo
demo-shell:
	@tests/demo/demo --shell
bench:
	@tests/bench/run

# tests/unit/AREA_NAME_test.c is linked with what AREA may depend on and nothing else, less
# the main functions. A test may have flags of its own in tests/unit/NAME.mk: NAME_CPPFLAGS,
# NAME_LDFLAGS.
SANITIZE := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
AREAS_lib := lib
AREAS_azure := azure lib
AREAS_state := state lib
AREAS_engine := engine azure state lib
AREAS_daemon := daemon $(AREAS_engine)
AREAS_cli := cli $(AREAS_engine)

UNITS := $(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/*_test.c)))
UNIT_LIBS = $(shell pkg-config --libs cmocka)
-include $(wildcard tests/unit/*.mk)

$(B)/asan/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(USER_CPPFLAGS) $(EXTRA_CPPFLAGS) $(USER_CFLAGS) $(SANITIZE) -MMD -MP -c -o $@ $<

# Thin archives: the members keep their directories.
define area_rule
$(B)/asan/$(1).a: $(call objs,asan,$(filter-out %/main.c,$(filter userspace/$(1)/%,$(USER_SRC))))
	@rm -f $$@
	$(AR) rcsT $$@ $$^
endef
$(foreach area,$(AREAS_daemon) cli,$(eval $(call area_rule,$(area))))

define unit_rule
$(B)/asan/$(1): tests/unit/$(1).c $(patsubst %,$(B)/asan/%.a,$(AREAS_$(firstword $(subst _, ,$(1)))))
	$(CC) $$(USER_CPPFLAGS) $$($(1)_CPPFLAGS) $(USER_CFLAGS) $(SANITIZE) -MMD -MP \
		-MF $$@.d -MT $$@ $(USER_LDFLAGS) $$($(1)_LDFLAGS) -o $$@ $$(filter %.c %.a,$$^) $$(LIBS) $$(UNIT_LIBS)
endef
$(foreach unit,$(UNITS),$(eval $(call unit_rule,$(unit))))

.PHONY: unit-archives
unit-archives: $(patsubst %,$(B)/asan/%.a,$(AREAS_daemon) cli)

# -------------------------------------------------------------- installation

SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
UNITDIR ?= /lib/systemd/system
UDEVDIR ?= /lib/udev/rules.d
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions
SYSTEMD := userspace/systemd

.PHONY: install install-dkms
install: userspace
	install -D -t $(DESTDIR)$(SBINDIR) $(B)/azure-storage-uploader $(B)/azure-storagectl
	install -D -m 644 -t $(DESTDIR)$(UNITDIR) $(wildcard $(SYSTEMD)/*.service $(SYSTEMD)/*.path)
	install -D -m 644 -t $(DESTDIR)$(UDEVDIR) $(SYSTEMD)/60-azure-storage.rules
	install -D -m 644 $(SYSTEMD)/sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/azure-storage.conf
	install -D -m 644 -t $(DESTDIR)/etc/azure-storage $(SYSTEMD)/azure-storage.conf
	install -d -m 700 $(DESTDIR)/etc/azure-storage/credentials.d
	install -D -m 644 -t $(DESTDIR)$(MANDIR)/man5 $(wildcard userspace/man/*.5)
	install -D -m 644 -t $(DESTDIR)$(MANDIR)/man8 $(wildcard userspace/man/*.8)
	install -D -m 644 -t $(DESTDIR)$(COMPLETIONDIR) userspace/completions/azure-storagectl

# What DKMS builds from, less dkms.conf, which dh_dkms completes. Nothing of an earlier
# build may come along.
DKMS_DIR := $(DESTDIR)$(PREFIX)/src/azure-storage-$(VERSION)
install-dkms:
	find src -type f \( -name '*.[ch]' -o -name '*.sh' -o -name Kbuild -o -name Makefile \) \
		! -name '*.mod.c' ! -name probed.h ! -path '*/selftest/*' ! -path '*/samples/*' \
		-exec install -D -m 644 {} $(DKMS_DIR)/{} \;
	install -D -m 644 $(SYSTEMD)/modules-load.conf \
		$(DESTDIR)$(PREFIX)/lib/modules-load.d/azure-storage.conf

.PHONY: deb
deb:
	@tests/packages/build-deb

.PHONY: clean
clean:
	rm -rf $(B)/obj $(B)/asan $(B)/deb $(B)/azure-storage-uploader $(B)/azure-storagectl
	[ ! -d $(KDIR) ] || $(MAKE) -C $(KDIR) M=$(CURDIR)/src clean

.PHONY: help
help:
	@sed -n 's/^#   //p' Makefile | head -20

-include $(patsubst %.o,%.d,$(call objs,obj,$(USER_SRC)) $(call objs,asan,$(USER_SRC)))
-include $(patsubst %,$(B)/asan/%.d,$(UNITS))

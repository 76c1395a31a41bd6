# SPDX-License-Identifier: MIT OR GPL-2.0-only
# The module's dirty set in userspace: its sources see the kernel's headers as
# kshim/linux/ has them, and each kernel_*_test is linked with them.
KSHIM_CPPFLAGS := -Itests/unit/kshim -Wno-unused-parameter -Wno-sign-compare
KSHIM_SRC := $(wildcard tests/unit/kshim/*.c) \
	$(addprefix src/,tree.c dirty.c ready.c handout.c entry.c)
KSHIM_OBJS := $(call objs,asan,$(KSHIM_SRC))
$(KSHIM_OBJS): EXTRA_CPPFLAGS := $(KSHIM_CPPFLAGS)

KERNEL_UNITS := $(filter kernel_%,$(UNITS))
$(foreach unit,$(KERNEL_UNITS),$(eval $(unit)_CPPFLAGS := $(KSHIM_CPPFLAGS)))
$(addprefix $(B)/asan/,$(KERNEL_UNITS)): $(B)/asan/kshim.a

$(B)/asan/kshim.a: $(KSHIM_OBJS)
	@rm -f $@
	$(AR) rcsT $@ $(KSHIM_OBJS)

-include $(KSHIM_OBJS:.o=.d)

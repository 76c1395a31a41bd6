# SPDX-License-Identifier: MIT OR GPL-2.0-only
# shellcheck shell=bash
#
# What no kernel log of a test may contain.
#
#   klog_splats FILE   prints the offending lines; status 0 when there are any,
#                      1 when the log is clean, 2 when it cannot be read

KLOG_SPLAT='\bWARNING: |\bBUG\b|\bOops\b|[Kk]ernel panic|general protection fault'
KLOG_SPLAT+='|[Uu]nable to handle|possible (recursive|circular|irq lock)|inconsistent lock state'
KLOG_SPLAT+='|suspicious RCU usage|bad unlock balance|held lock freed|UBSAN|KASAN|KFENCE|KCSAN|KMSAN'
KLOG_SPLAT+='|refcount_t: |Call Trace|RIP: 0010|INFO: task .* blocked for more than|hung task'
KLOG_SPLAT+='|self-detected stall|detected stalls? on|soft lockup|hard LOCKUP'
KLOG_SPLAT+='|Object already free|Redzone|Right Redzone|Poison overwritten|Objects remaining in'
KLOG_SPLAT+='|kmem_cache_destroy|Slab cache still has objects|unreferenced object'
KLOG_SPLAT+='|list_(add|del) corruption|sysfs: cannot create duplicate'
KLOG_SPLAT+='|\bkobject\b|kobject_add_internal|Busy inodes after unmount|[Ss]egfault at|traps: '

# The kernel announces some of these words harmlessly while it boots.
KLOG_HARMLESS='Command line:|Kernel command line:|kfence: initialized|ubsan: |KASAN: .*initialized'
KLOG_HARMLESS+='|Unknown kernel command line parameters|SLUB: HWalign'

klog_splats()
{
	local file=$1

	[ -r "$file" ] || return 2
	# -a: a guest that dies may leave bytes that are no text.
	tr -d '\000\r' <"$file" | grep -aE "$KLOG_SPLAT" | grep -avE "$KLOG_HARMLESS"
}

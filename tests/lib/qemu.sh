# SPDX-License-Identifier: MIT OR GPL-2.0-only
# shellcheck shell=bash
#
# What both kinds of guest need of QEMU and of initramfs archives.
#
#   qemu_accel            sets QEMU_ACCEL: -accel and -cpu. KVM only when a probe
#                         guest has really booted with it on this machine since
#                         the machine booted: /dev/kvm may be there and not work.
#                         $AZS_ACCEL (tcg or kvm) overrides the probe.
#   wait_exit PID SECONDS status 1 when the process is still there after that
#   initramfs_pack DIR OUT   makes an uncompressed archive of DIR
#   initramfs_base DIR FETCH_ENV MODULE...   fills DIR with busybox, and those
#                         kernel modules (unpacked), all they depend on, depmod data;
#                         FETCH_ENV is what `kernels fetch` printed

# shellcheck disable=SC2034,SC2054 # for those who source this; QEMU's options have commas

QEMU_BIN=qemu-system-x86_64

# What no guest here has use for is left out: it costs start-up time.
QEMU_COMMON=(-nodefaults -no-user-config -display none -machine q35,vmport=off,smbus=off
	-device virtio-rng-pci -rtc base=utc)

wait_exit()
{
	local pid=$1 tenths=$(($2 * 10))

	while kill -0 "$pid" 2>/dev/null; do
		[ "$tenths" -gt 0 ] || return 1
		tenths=$((tenths - 1))
		sleep 0.1
	done
}

initramfs_pack()
{
	# The kernel takes archives one after the other only at multiples of 4 bytes,
	# which cpio's blocks of 512 give.
	(cd "$1" && find . -print0 | LC_ALL=C sort -z |
		cpio --quiet -0 -o -H newc -R 0:0) >"$2.part"
	mv "$2.part" "$2"
}

_initramfs_modules()
{
	local dir=$1 root=$2 kver=$3 file rel mod

	shift 3
	# A module that this kernel has not (or has built in) is no error: the test
	# that needs it will say so.
	for mod in "$@"; do
		modprobe -d "$root" -S "$kver" -a --show-depends "$mod" 2>/dev/null || true
	done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | sort -u |
		while read -r file; do
			rel=${file#*"/lib/modules/"}
			rel=$dir/usr/lib/modules/${rel%.xz}
			mkdir -p "${rel%/*}"
			case $file in
			*.xz) xz -dc "$file" >"$rel" ;;
			*) cp "$file" "$rel" ;;
			esac
		done
	cp "$root/usr/lib/modules/$kver"/modules.{order,builtin,builtin.modinfo} \
		"$dir/usr/lib/modules/$kver/"
	depmod -b "$dir" "$kver"
}

initramfs_base()
{
	local dir=$1 env=$2 KVER DIR applet

	shift 2
	eval "$(grep -E '^(KVER|DIR)=' <<<"$env")"
	mkdir -p "$dir"/{proc,sys,dev,run,tmp,mnt,etc,root} "$dir"/usr/{bin,lib/modules/"$KVER"}
	# One bin for all: the kernel calls /sbin/modprobe to load crc32c and the like.
	ln -s bin "$dir/usr/sbin"
	ln -s usr/bin usr/sbin usr/lib "$dir/"
	cp "$(command -v busybox)" "$dir/usr/bin/busybox"
	while read -r applet; do
		[ "$applet" = busybox ] || ln -s busybox "$dir/usr/bin/$applet"
	done < <(busybox --list)
	_initramfs_modules "$dir" "$DIR" "$KVER" "$@"
}

_qemu_probe_kvm()
{
	local env=$1 dir IMAGE status=1 pid

	eval "$(grep ^IMAGE= <<<"$env")"
	dir=$(mktemp -d)
	mkdir -p "$dir/root/bin" "$dir/root/dev"
	cp "$(command -v busybox)" "$dir/root/bin/busybox"
	cat >"$dir/root/init" <<-'END'
		#!/bin/busybox sh
		/bin/busybox mount -t devtmpfs dev /dev
		echo kvm-probe-booted >/dev/ttyS0
		/bin/busybox reboot -f
	END
	chmod +x "$dir/root/init"
	initramfs_pack "$dir/root" "$dir/initrd"
	"$QEMU_BIN" "${QEMU_COMMON[@]}" -accel kvm -cpu host -m 256 -smp 2 -no-reboot \
		-kernel "$IMAGE" -initrd "$dir/initrd" -append "console=ttyS0 panic=-1" \
		-chardev file,id=con,path="$dir/log" -serial chardev:con \
		</dev/null >/dev/null 2>&1 &
	pid=$!
	wait_exit "$pid" 20 || kill -KILL "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	grep -q kvm-probe-booted "$dir/log" 2>/dev/null && status=0
	rm -rf "$dir"
	return "$status"
}

_qemu_accel_cached()
{
	local verdict=$1 answer=tcg env

	[ ! -e "$verdict" ] || return 0
	if [ -r /dev/kvm ] && [ -w /dev/kvm ]; then
		env=$("$AZS_TOP/tests/vm/kernels" fetch 6.1)
		# Silent: where KVM does not work, the shell reports QEMU's abort.
		_qemu_probe_kvm "$env" 2>/dev/null && answer=kvm
	fi
	rm -f "$(dirname "$verdict")"/accel-*
	echo "$answer" >"$verdict"
}

# The verdict's name holds the boot's id: another boot asks again.
qemu_accel()
{
	local accel=${AZS_ACCEL:-} verdict boot

	if [ -z "$accel" ]; then
		boot=$(</proc/sys/kernel/random/boot_id)
		verdict=$AZS_CACHE/accel/accel-$boot
		[ -e "$verdict" ] ||
			with_lock "$AZS_CACHE/accel/lock" _qemu_accel_cached "$verdict"
		accel=$(<"$verdict")
	fi
	case $accel in
	kvm) QEMU_ACCEL=(-accel kvm -cpu host) ;;
	tcg) QEMU_ACCEL=(-accel tcg,thread=multi,tb-size=256 -cpu max,la57=off) ;;
	*) die "AZS_ACCEL is '$accel', neither kvm nor tcg" ;;
	esac
}

# SPDX-License-Identifier: MIT OR GPL-2.0-only
# shellcheck shell=bash
#
# The Debian guest, as functions; tests/vm/debian is their command line and says
# what they do. A script that uses them sources common.sh, need.sh, qemu.sh, klog.sh
# and this file, and may choose the guest by GUEST_NAME before each call.
#
# A guest's directory, build/vm/debian/NAME, holds all there is of it: overlay,
# pid, console.log, QEMU's sockets (used by relative names, as a socket's path has
# to be short). Guests of different names run side by side.

GUEST_NAME=${GUEST_NAME:-default}
GUEST_BOOT_TIMEOUT_S=${GUEST_BOOT_TIMEOUT_S:-180}

guest_dir()
{
	printf '%s\n' "$AZS_BUILD/vm/debian/$GUEST_NAME"
}

_agentctl()
{
	local bin=$AZS_BUILD/vm/host/agentctl src=$AZS_TOP/tests/vm/host/agentctl.c

	if [ ! -x "$bin" ] || [ "$src" -nt "$bin" ] || [ "$AZS_TOP/tests/vm/guest/agent.h" -nt "$bin" ]; then
		mkdir -p "${bin%/*}"
		"${CC:-gcc}" -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -o "$bin.$$" "$src"
		mv "$bin.$$" "$bin"
	fi
	"$bin" "$@"
}

guest_running()
{
	local pid

	pid=$(cat "$(guest_dir)/pid" 2>/dev/null) || return 1
	# The process of that number may be another by now.
	[ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$(guest_dir)" ]
}

# _guest_qemu DIR OVERLAY MEM SMP APPEND FORWARD...: starts QEMU in the background.
# Expects IMAGE_KERNEL, IMAGE_INITRD and QEMU_ACCEL.
# shellcheck disable=SC2054 # QEMU's options have commas
_guest_qemu()
{
	local dir=$1 overlay=$2 mem=$3 smp=$4 append=$5 netdev=user,id=net forward i args=()

	shift 5
	for forward in "$@"; do
		netdev+=",hostfwd=$forward"
	done
	append="root=/dev/vda rw console=ttyS0 ignore_loglevel panic_on_warn=1 oops=panic panic=-1
		random.trust_cpu=on no_timer_check systemd.show_status=auto
		systemd.log_target=journal $append"
	for ((i = 0; i < 4; i++)); do
		args+=(-chardev "socket,id=agent$i,path=agent.$i,server=on,wait=off"
			-device "virtserialport,chardev=agent$i,name=org.azs.agent.$i")
	done
	(
		cd "$dir" || exit 1
		exec "$QEMU_BIN" "${QEMU_COMMON[@]}" "${QEMU_ACCEL[@]}" -m "$mem" -smp "$smp" \
			-kernel "$IMAGE_KERNEL" -initrd "$IMAGE_INITRD" -append "${append//[$'\n\t']/ }" \
			-drive "file=$overlay,format=qcow2,if=none,id=root,cache=unsafe,discard=unmap" \
			-device virtio-blk-pci,drive=root,serial=root \
			-netdev "$netdev" -device virtio-net-pci,netdev=net \
			-chardev file,id=console,path=console.log,append=on -serial chardev:console \
			-device virtio-serial-pci,max_ports=16 \
			-chardev socket,id=shell,path=shell,server=on,wait=off \
			-device virtconsole,chardev=shell \
			"${args[@]}" </dev/null >qemu.log 2>&1 9>&-
	) &
	echo $! >"$dir/pid"
	disown	# who kills it needs no word of it from the shell
}

guest_start()
{
	local series=6.1 overlay='' mem=2048 smp=2 append='' forwards=() image dir

	while [ $# -gt 0 ]; do
		case $1 in
		-k) series=$2 ;;
		-d) overlay=$(realpath -m "$2") ;;
		-m) mem=$2 ;;
		-c) smp=$2 ;;
		-a) append=$2 ;;
		-f) forwards+=("$2") ;;
		*) usage_error "start: unknown option $1" ;;
		esac
		shift 2
	done
	dir=$(guest_dir)
	guest_running && die "guest $GUEST_NAME is running already"
	image=$("$AZS_TOP/tests/vm/image" "$series")
	eval "$(grep ^IMAGE_ <<<"$image")"
	qemu_accel
	rm -rf "$dir"
	mkdir -p "$dir"
	if [ -z "$overlay" ]; then
		overlay=$dir/overlay.qcow2
	fi
	[ -e "$overlay" ] ||
		qemu-img create -q -f qcow2 -b "$IMAGE_DISK" -F raw "$overlay" >&2
	_guest_qemu "$dir" "$overlay" "$mem" "$smp" "$append" "${forwards[@]}"
	guest_wait || {
		say "the guest did not come up; the end of $dir/console.log:"
		tail -n 30 "$dir/console.log" >&2 || true
		guest_kill
		return 1
	}
}

# guest_wait [BOOT_ID]: until the guest (of another boot than that) is up: the agent
# answers and systemd has no more jobs.
guest_wait()
{
	local dir boot tenths=100

	dir=$(guest_dir)
	while [ ! -S "$dir/agent.0" ]; do
		if ! guest_running || [ "$tenths" -eq 0 ]; then
			cat "$dir/qemu.log" >&2
			return 1
		fi
		tenths=$((tenths - 1))
		sleep 0.1
	done
	boot=$(_agentctl "$dir" "$GUEST_BOOT_TIMEOUT_S" wait "$@") || return 1
	# "degraded" is an answer, too: whether a unit may fail is the test's business.
	guest_exec -t "$GUEST_BOOT_TIMEOUT_S" \
		'systemctl is-system-running --wait >/dev/null; [ $? -le 1 ]' || return 1
	printf '%s\n' "$boot" >"$dir/boot"
}

# guest_exec [-i] [-t SECONDS] SCRIPT
guest_exec()
{
	local timeout=0 with_stdin=()

	while [ $# -gt 1 ]; do
		case $1 in
		-i) with_stdin=(-i) ;;
		-t)
			timeout=$2
			shift
			;;
		*) usage_error "exec: unknown option $1" ;;
		esac
		shift
	done
	if [ ${#with_stdin[@]} -gt 0 ]; then
		_agentctl "$(guest_dir)" "$timeout" exec -i "$1"
	else
		_agentctl "$(guest_dir)" "$timeout" exec "$1" </dev/null
	fi
}

# Plain quotes, good for any shell.
_guest_quote()
{
	printf "'%s'" "${1//\'/\'\\\'\'}"
}

# A file goes to DEST (into it, when that is a directory), a directory into DEST.
guest_put()
{
	local from=$1 dest name mode

	dest=$(_guest_quote "$2")
	name=$(_guest_quote "$(basename "$from")")
	mode=$(stat -c %a "$from")
	if [ -d "$from" ]; then
		tar -C "$(dirname "$from")" -c "$(basename "$from")" |
			guest_exec -i "mkdir -p $dest && tar -C $dest -x --no-same-owner"
	else
		guest_exec -i "d=$dest; [ ! -d \"\$d\" ] || d=\$d/$name
			cat >\"\$d\" && chmod $mode \"\$d\"" <"$from"
	fi
}

guest_get()
{
	guest_exec "cat -- $(_guest_quote "$1")" >"$2"
}

guest_console_log()
{
	cat "$(guest_dir)/console.log"
}

guest_reboot()
{
	local boot

	boot=$(<"$(guest_dir)/boot")
	guest_exec -t 60 'systemctl --no-block reboot' || return 1
	guest_wait "$boot"
}

# Pulls the plug: nothing that was not synced survives in the guest.
guest_reset()
{
	local boot

	boot=$(<"$(guest_dir)/boot")
	guest_exec -t 30 'echo b >/proc/sysrq-trigger' 2>/dev/null || true
	guest_wait "$boot"
}

# Everything the kernel said, in all boots of this guest, to klog_splats: prints the
# splats and returns 1 when there are any.
guest_klog()
{
	local dir bad=0

	dir=$(guest_dir)
	cp "$dir/console.log" "$dir/klog"
	if guest_running; then
		guest_exec -t 120 'journalctl -q -o short-monotonic _TRANSPORT=kernel' \
			>>"$dir/klog" || {
			echo "the guest's journal could not be read"
			bad=1
		}
	fi
	[ -s "$dir/console.log" ] || {
		echo "the console's log is empty"
		bad=1
	}
	if klog_splats "$dir/klog"; then
		bad=1
	fi
	return "$bad"
}

guest_kill()
{
	local pid

	guest_running || return 0
	pid=$(<"$(guest_dir)/pid")
	kill -KILL "$pid"
	wait_exit "$pid" 10
}

guest_stop()
{
	local pid

	guest_running || return 0
	pid=$(<"$(guest_dir)/pid")
	guest_exec -t 30 'systemctl --no-block poweroff' 2>/dev/null || true
	wait_exit "$pid" 60 || {
		say "the guest did not power off"
		guest_kill
		return 1
	}
	rm -f "$(guest_dir)/overlay.qcow2"
}

# A prompt in the guest on this terminal; Ctrl-] leaves it.
guest_shell()
{
	local rows cols

	[ -t 0 ] || die "shell needs a terminal"
	read -r rows cols < <(stty size)
	guest_exec -t 30 "stty -F /dev/hvc0 rows $rows cols $cols" || return 1
	echo "You are root in the guest; Ctrl-] comes back here." >&2
	(cd "$(guest_dir)" && socat -,raw,echo=0,escape=0x1d UNIX-CONNECT:shell)
}

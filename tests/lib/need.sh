# SPDX-License-Identifier: MIT OR GPL-2.0-only
# shellcheck shell=bash
#
# Packages that the tests use on the host. The lists below are the only place
# where they are named; call `need $AZS_NEED_X` (unquoted) before the first use.
#
# need PACKAGE...  installs what is missing, as root or through sudo, without a
#                  question; runs apt-get update only if apt does not know a
#                  package or cannot download it. Returns 1 with a message if
#                  that did not work.

# shellcheck disable=SC2034 # read by the scripts that source this file
{
	AZS_NEED_KERNELS="kmod xz-utils"
	AZS_NEED_MODULE="gcc gcc-12 make libelf1 libc6-dev pahole rsync"
	AZS_NEED_MINI="qemu-system-x86 busybox-static cpio kmod xz-utils gcc libc6-dev
		e2fsprogs xfsprogs btrfs-progs"
	AZS_NEED_LAYOUT="gcc g++ libc6-dev"
	AZS_NEED_DEBIAN="qemu-system-x86 qemu-utils mmdebstrap busybox-static cpio kmod
		xz-utils gcc libc6-dev e2fsprogs psmisc socat"
	AZS_NEED_LINT="shellcheck"
	AZS_NEED_USERSPACE="gcc make pkg-config libc6-dev libcurl4-openssl-dev libssl-dev
		libsqlite3-dev libjson-c-dev libexpat1-dev libsystemd-dev libsmartcols-dev"
	AZS_NEED_UNIT="libcmocka-dev"
	# Beside node and npm, which need not come from Debian.
	AZS_NEED_AZURITE="openssl"
	AZS_NEED_AZCOPY="libsecret-1-0"
	AZS_NEED_BENCH="gcc libc6-dev curl rclone openssl libsecret-1-0"
	AZS_NEED_E2E="socat rclone curl procps"
	AZS_NEED_DEB="build-essential debhelper dh-dkms dpkg-dev fakeroot lintian"
}

_need_root()
{
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		say "neither root nor sudo: cannot run $*"
		return 1
	fi
}

_need_missing()
{
	local pkg

	for pkg in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$pkg" 2>/dev/null)" = installed ] ||
			printf '%s\n' "$pkg"
	done
}

_need_install()
{
	_need_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get install -y -q \
		--no-install-recommends -o DPkg::Lock::Timeout=300 "$@" >&2
}

need_update()
{
	_need_root apt-get update -q >&2
}

# need_known PACKAGE...: makes sure that apt has candidates for all of them.
need_known()
{
	apt-cache show --no-all-versions "$@" >/dev/null 2>&1 && return 0
	need_update
	apt-cache show --no-all-versions "$@" >/dev/null || {
		say "apt does not know all of: $*"
		return 1
	}
}

need()
{
	local missing

	mapfile -t missing < <(_need_missing "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	say "installing ${missing[*]}"
	need_known "${missing[@]}" || return 1
	_need_install "${missing[@]}" && return 0
	# The lists may name versions that the archive has replaced since.
	need_update && _need_install "${missing[@]}" && return 0
	say "could not install ${missing[*]}"
	return 1
}

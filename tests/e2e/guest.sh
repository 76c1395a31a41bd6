# SPDX-License-Identifier: MIT OR GPL-2.0-only
# shellcheck shell=bash
#
# What the scenarios use inside the guest. tests/e2e/lib.sh puts it there, with the
# address of the account in /root/e2e.env (ENDPOINT, ACCOUNT), and sources it before
# each script.

# shellcheck source=/dev/null
. /root/e2e.env

# shellcheck disable=SC2034 # for the scenarios
UPLOADER=azure-storage-uploader.service
MAPPINGS=/sys/class/azure_storage

# fig NAME FILE: a figure of a mapping.
fig()
{
	cat "$MAPPINGS/$1/$2"
}

# until_true SECONDS COMMAND...
until_true()
{
	local end=$((SECONDS + $1))

	shift
	until "$@"; do
		if [ "$SECONDS" -ge "$end" ]; then
			echo "not within the time given: $*" >&2
			return 1
		fi
		sleep 0.1
	done
}

has_state()
{
	[ "$(fig "$1" state)" = "$2" ]
}

wait_state()
{
	until_true "${3:-60}" has_state "$1" "$2" || {
		echo "$1 is $(fig "$1" state): $(fig "$1" last_error)" >&2
		return 1
	}
}

figure_is()
{
	test "$(fig "$1" "$2")" "$3" "$4"
}

# dirty NAME: the paths that may differ from the container.
dirty()
{
	echo $(($(fig "$1" pending) + $(fig "$1" in_flight)))
}

uploader_pid()
{
	cat /sys/class/misc/azure_storage/uploader_pid
}

has_uploader()
{
	[ "$(uploader_pid)" != 0 ]
}

# map NAME [ATTRIBUTE=VALUE]...: /srv/NAME to the container NAME, enabled.
map()
{
	local name=$1

	shift
	mkdir -p "/srv/$name"
	azure-storagectl add "$name" path="/srv/$name" account="$ACCOUNT" container="$name" \
		endpoint="$ENDPOINT" settle_ms=100 "$@" --enable
}

# The mapping goes; its files go, too, so that they take no memory from what follows.
unmap()
{
	azure-storagectl disable "$1" && azure-storagectl remove "$1" && rm -rf "/srv/$1"
}

# synced NAME [SECONDS]: all is uploaded, and the uploader has told all that it counted.
synced()
{
	if ! azure-storagectl flush "$1" --timeout="${2:-120}" ||
		! until_true 60 azure-storagectl status "$1" >/dev/null; then
		azure-storagectl status "$1" >&2
		return 1
	fi
}

# The figures that say what was sent; they stand still when nothing is.
sent()
{
	local f

	for f in uploaded_files uploaded_bytes copied_blobs deleted_blobs; do
		printf '%s=%s ' "$f" "$(fig "$1" "stats/$f")"
	done
	echo
}

# has_no_error NAME
has_no_error()
{
	[ -z "$(fig "$1" last_error)" ]
}

# hashes NAME: what an exact copy of the folder would say for itself.
hashes()
{
	(cd "/srv/$1" && find . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0r md5sum)
}

# other_uploader PID: there is an uploader, and it is not that one.
other_uploader()
{
	has_uploader && [ "$(uploader_pid)" != "$1" ]
}

# SPDX-License-Identifier: MIT OR GPL-2.0-only
# shellcheck shell=bash
#
# Azurite, the storage account of the tests, and azcopy, an independent client.
# Both come from npm into $AZS_CACHE and are fetched once. Needs common.sh and
# need.sh.
#
#   azurite_install          fetches it if it is not there; azurite_start does so too
#   azurite_start VAR DIR [OPTION...]
#                            starts the Blob service on a free port of 127.0.0.1 (or
#                            $AZURITE_PORT of $AZURITE_HOST) with further options and
#                            waits until it accepts connections; VAR gets the port,
#                            AZURITE_PID the process. Nothing is stored on disk; DIR
#                            holds its log, azurite.log.
#   azurite_stop [PID]       stops it, by default the last one started
#   azcopy_path              fetches azcopy if it is not there, prints its path
#
# The account is the one that every Azurite has; its key is public.

# shellcheck disable=SC2034 # read by the scripts that source this file
AZURITE_ACCOUNT=devstoreaccount1
# shellcheck disable=SC2034
AZURITE_KEY=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==

AZURITE_VERSION=3.35.0
AZCOPY_PACKAGE=@azure-tools/azcopy-linux
AZCOPY_VERSION=10.32.2
AZURITE_START_TIMEOUT_S=60
AZURITE_PID=

_npm_need()
{
	command -v node >/dev/null || need nodejs || return 1
	command -v npm >/dev/null || need npm
}

# _npm_install DIR PACKAGE: beside, then moved, so that what is there is whole.
_npm_install()
{
	local dir=$1 package=$2 part=$1.part

	[ ! -e "$dir/.complete" ] || return 0
	_npm_need || return 1
	say "fetching $package"
	rm -rf "$part" "$dir"
	mkdir -p "$part"
	if ! npm install --no-save --no-audit --no-fund --loglevel=error --prefix "$part" \
		"$package" >&2; then
		say "npm could not install $package"
		return 1
	fi
	touch "$part/.complete"
	mv "$part" "$dir"
}

azurite_install()
{
	with_lock "$AZS_CACHE/azurite.lock" \
		_npm_install "$AZS_CACHE/azurite-$AZURITE_VERSION" "azurite@$AZURITE_VERSION"
}

# The port is in the log only after the socket listens.
_azurite_port()
{
	sed -n 's|^Azurite Blob service successfully listens on https\{0,1\}://.*:\([0-9]*\)$|\1|p' "$1"
}

azurite_start()
{
	local -n _azurite_out=$1
	# Names that no caller uses: VAR is looked up from here.
	local _az_dir=$2 _az_host=${AZURITE_HOST:-127.0.0.1} _az_port='' _az_deadline

	shift 2
	azurite_install || return 1
	mkdir -p "$_az_dir"
	(
		cd "$_az_dir" || exit 1
		exec node "$AZS_CACHE/azurite-$AZURITE_VERSION/node_modules/azurite/dist/src/blob/main.js" \
			--blobHost "$_az_host" --blobPort "${AZURITE_PORT:-0}" --inMemoryPersistence \
			--disableTelemetry --disableProductStyleUrl --silent "$@" \
			>azurite.log 2>&1 </dev/null
	) &
	AZURITE_PID=$!
	_az_deadline=$((SECONDS + AZURITE_START_TIMEOUT_S))
	while [ $SECONDS -lt $_az_deadline ]; do
		[ ! -e "$_az_dir/azurite.log" ] || _az_port=$(_azurite_port "$_az_dir/azurite.log")
		if [ -n "$_az_port" ] && (exec 3<>"/dev/tcp/$_az_host/$_az_port") 2>/dev/null; then
			_azurite_out=$_az_port
			return 0
		fi
		if ! kill -0 "$AZURITE_PID" 2>/dev/null; then
			say "Azurite ended: $(tail -n 3 "$_az_dir/azurite.log" | tr '\n' ' ')"
			return 1
		fi
		sleep 0.1
	done
	say "Azurite does not accept connections after ${AZURITE_START_TIMEOUT_S} s"
	azurite_stop "$AZURITE_PID"
	return 1
}

azurite_stop()
{
	local pid=${1:-$AZURITE_PID}

	[ -n "$pid" ] || return 0
	kill "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	[ "$pid" != "$AZURITE_PID" ] || AZURITE_PID=
}

_azcopy_install()
{
	local dir=$AZS_CACHE/azcopy-$AZCOPY_VERSION

	_npm_install "$dir" "$AZCOPY_PACKAGE@$AZCOPY_VERSION" || return 1
	# It is published without the permission to be run.
	find "$dir/node_modules/@azure-tools" -type f -name 'azcopy*' -size +1M -exec chmod +x {} +
}

azcopy_path()
{
	local dir=$AZS_CACHE/azcopy-$AZCOPY_VERSION found

	# shellcheck disable=SC2086 # a list of packages
	need $AZS_NEED_AZCOPY || return 1
	with_lock "$AZS_CACHE/azcopy.lock" _azcopy_install || return 1
	found=$(find "$dir/node_modules/@azure-tools" -type f -name 'azcopy*' -size +1M -perm -u+x \
		-print -quit)
	[ -n "$found" ] || {
		say "no azcopy in $AZCOPY_PACKAGE"
		return 1
	}
	printf '%s\n' "$found"
}

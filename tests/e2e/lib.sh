# SPDX-License-Identifier: MIT OR GPL-2.0-only
# shellcheck shell=bash
#
# What the scenarios use on the host. Needs the files of tests/lib.
#
#   scenario NAME        runs the function scenario_NAME; what it records is called
#                        NAME.CHECK. It returns early, not 0, when a step failed that
#                        the rest stands on; that counts as a failure, as does a
#                        scenario that checked nothing
#   is CHECK GOT WANT    records ok when they are equal
#   truth CHECK COMMAND...   records ok when it succeeds
#   g SCRIPT             runs it in the guest with guest.sh; at most $GUEST_TIMEOUT_S
#   same CHECK NAME [CONTAINER]
#                        records ok when the container, as rclone downloads it, is the
#                        folder /srv/NAME of the guest, byte for byte
#   account_start VAR    starts the account: a server behind a relay (VAR: the relay's
#                        port), so that it can vanish and come back as it was
#   account_vanish, account_return
#   puts CONTAINER       `COUNT NAME` for each blob that was written to the container,
#                        and how often, from the server's log

SCENARIO=
GUEST_TIMEOUT_S=300
DIAGNOSIS=

scenario()
{
	local before=$RESULTS_SEEN started=$SECONDS status=0

	SCENARIO=$1
	"scenario_$1" || status=$?
	if [ "$status" -ne 0 ]; then
		results_record fail "$1" "broke off (status $status): $(tail -n 3 "$DIAGNOSIS" | tr '\n' ' ')"
		# What it left must not be in the way of the others.
		g 'azure-storagectl apply --prune /dev/null' >/dev/null || true
	elif [ "$RESULTS_SEEN" -eq "$before" ]; then
		results_record fail "$1" "checked nothing"
	fi
	say "$1 took $((SECONDS - started)) s"
}

is()
{
	if [ "$2" = "$3" ]; then
		results_record ok "$SCENARIO.$1"
	else
		results_record fail "$SCENARIO.$1" "'$2', expected '$3'"
		return 1
	fi
}

truth()
{
	local check=$1

	shift
	if "$@" 2>"$DIAGNOSIS"; then
		results_record ok "$SCENARIO.$check"
	else
		results_record fail "$SCENARIO.$check" "$* - $(tail -n 3 "$DIAGNOSIS")"
		return 1
	fi
}

g()
{
	guest_exec -t "$GUEST_TIMEOUT_S" ". /root/guest.sh; $1" 2>>"$DIAGNOSIS"
}

# ------------------------------------------------------------------ the account

ACCOUNT_PORT=
ACCOUNT_LOG=
RELAY_PORT=
RELAY_PID=

_relay_start()
{
	socat "TCP-LISTEN:$RELAY_PORT,bind=127.0.0.1,reuseaddr,fork" \
		"TCP:127.0.0.1:$ACCOUNT_PORT" 2>/dev/null &
	RELAY_PID=$!
}

_relay_answers()
{
	(exec 3<>"/dev/tcp/127.0.0.1/$RELAY_PORT") 2>/dev/null
}

account_start()
{
	local tenths=100

	ACCOUNT_LOG=$WORK/account/requests.log
	rm -rf "$WORK/account"
	mkdir -p "$WORK/account"
	azurite_start ACCOUNT_PORT "$WORK/account" --debug "$ACCOUNT_LOG"
	# Any port that nobody has: the relay must find it again when it returns.
	while :; do
		RELAY_PORT=$((20000 + RANDOM % 12000))
		_relay_answers || break
	done
	_relay_start
	until _relay_answers; do
		tenths=$((tenths - 1))
		[ "$tenths" -gt 0 ] || die "the relay to the account did not come up"
		sleep 0.1
	done
}

# What is connected is cut off, too.
account_vanish()
{
	local children

	children=$(pgrep -P "$RELAY_PID" || true)
	# shellcheck disable=SC2086 # a list
	kill "$RELAY_PID" $children 2>/dev/null || true
	wait "$RELAY_PID" 2>/dev/null || true
}

account_return()
{
	_relay_start
}

account_stop()
{
	[ -z "$RELAY_PID" ] || account_vanish
	azurite_stop || true
}

# By the names that the blobs have in the container, whatever rclone thinks of them.
account()
{
	RCLONE_CONFIG=/dev/null rclone --retries 1 "${@:2}" ":azureblob,use_emulator,encoding=None,public_access=container,account=$AZURITE_ACCOUNT,key='$AZURITE_KEY',endpoint='http://127.0.0.1:$ACCOUNT_PORT/$AZURITE_ACCOUNT':$1" \
		2>>"$DIAGNOSIS"
}

_remote_hashes()
{
	account "$1" hashsum MD5 --download | LC_ALL=C sort -k 2
}

same()
{
	local check=$1 name=$2 container=${3:-$2} here there

	here=$WORK/$name.folder
	there=$WORK/$name.container
	if ! g "hashes $name" | LC_ALL=C sort -k 2 >"$here" || ! _remote_hashes "$container" >"$there"; then
		results_record fail "$SCENARIO.$check" "could not be read: $(tail -n 3 "$DIAGNOSIS")"
		return 1
	fi
	if [ ! -s "$here" ]; then
		results_record fail "$SCENARIO.$check" "the folder is empty"
		return 1
	fi
	if cmp -s "$here" "$there"; then
		results_record ok "$SCENARIO.$check"
	else
		results_record fail "$SCENARIO.$check" "folder (<) and container (>) differ: $(diff "$here" "$there" | head -n 6)"
		return 1
	fi
}

puts()
{
	awk -v container="$1" '
	/ RequestMethod=PUT / {
		id = $2
		sub(/.* RequestURL=http:\/\/[^\/]*\/[^\/]*\//, "")
		sub(/ RequestHeaders:.*/, "")
		if (index($0, container "/") != 1)
			next
		sub(/^[^\/]*\//, "")
		query = ""
		if (match($0, /\?/)) {
			query = substr($0, RSTART)
			$0 = substr($0, 1, RSTART - 1)
		}
		if (query !~ /comp=/ || query ~ /comp=blocklist/)
			name[id] = $0
		next
	}
	/ EndMiddleware: End response\. / && $2 in name {
		if (/ StatusCode=201 /)
			count[name[$2]]++
		delete name[$2]
	}
	END {
		for (n in count)
			print count[n], n
	}' "$ACCOUNT_LOG" | LC_ALL=C sort -k 2
}

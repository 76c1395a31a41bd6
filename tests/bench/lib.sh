# SPDX-License-Identifier: MIT OR GPL-2.0-only
# shellcheck shell=bash
#
# What the two benchmarks share. Source it after tests/lib/common.sh.
#
#   bench_machine    prints one line: processor, cores, kernel, load
#   bench_build OUT SOURCE...   compiles a C program of the benchmarks when it is out of date
#   bench_sink_start   starts the endpoint; sets BENCH_SERVER to its address
#   bench_sink_stop    ends it, if it was started

BENCH_OUT=$AZS_BUILD/bench
mkdir -p "$BENCH_OUT"

bench_machine()
{
	local model load

	model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
	read -r load _ </proc/loadavg
	printf '%s, %s cores, Linux %s, load %s when it began\n' "${model:-$(uname -m)}" \
		"$(nproc)" "$(uname -r)" "$load"
}

bench_build()
{
	local out=$1 source

	shift
	for source in "$@" "$(dirname "$1")"/*.h; do
		if [ -e "$source" ] && { [ ! -e "$out" ] || [ "$source" -nt "$out" ]; }; then
			"${CC:-gcc}" -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Wstrict-prototypes \
				-Wmissing-prototypes -Werror -o "$out.$$" "$@"
			mv "$out.$$" "$out"
			return
		fi
	done
}

BENCH_SERVER='' _bench_sink_pid=''

bench_sink_start()
{
	local port=$BENCH_OUT/sink.port tenths=50

	bench_build "$BENCH_OUT/sink" "$AZS_TOP"/tests/bench/sink/*.c
	rm -f "$port"
	"$BENCH_OUT/sink" >"$port" &
	_bench_sink_pid=$!
	while [ ! -s "$port" ]; do
		if [ "$tenths" -eq 0 ] || ! kill -0 "$_bench_sink_pid"; then
			die "the endpoint did not start"
		fi
		tenths=$((tenths - 1))
		sleep 0.1
	done
	# shellcheck disable=SC2034 # for those who source this
	BENCH_SERVER=http://127.0.0.1:$(<"$port")
}

bench_sink_stop()
{
	[ -z "$_bench_sink_pid" ] || kill "$_bench_sink_pid" 2>/dev/null || true
}

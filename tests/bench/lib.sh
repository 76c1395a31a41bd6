# SPDX-License-Identifier: MIT OR GPL-2.0-only
# shellcheck shell=bash
#
# What the two benchmarks share. Source it after tests/lib/common.sh.
#
#   bench_machine    prints one line: processor, cores, kernel, load
#   bench_build OUT SOURCE...   compiles a C program of the benchmarks when it is out of date

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

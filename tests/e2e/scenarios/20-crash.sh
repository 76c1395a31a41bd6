# SPDX-License-Identifier: MIT OR GPL-2.0-only
# shellcheck shell=bash
#
# The uploader dies in the middle of its work, again and again.

# shellcheck disable=SC2016 # scripts are for the guest to expand
SCENARIOS+=(crash)

CRASH_KILLS=6
CRASH_SMALL=500

# Each kill comes after some more files have gone out, or when a second has passed
# without one: while the large one is on its way. Prints how many hit it at work.
_crash_kill()
{
	g "hits=0
	for i in \$(seq $CRASH_KILLS); do
		until_true 60 has_uploader || exit 1
		more=\$((\$(fig crash stats/uploaded_files) + RANDOM % 80))
		until_true 1 figure_is crash stats/uploaded_files -gt \$more 2>/dev/null
		pid=\$(uploader_pid)
		[ \"\$(fig crash pending)\$(fig crash in_flight)\" = 00 ] || hits=\$((hits + 1))
		kill -9 \$pid || exit 1
		until_true 60 other_uploader \$pid || exit 1
	done
	echo \$hits"
}

scenario_crash()
{
	local hits

	g 'systemctl stop $UPLOADER && map crash && cd /srv/crash &&
		head -c 200M /dev/urandom >large && mkdir small &&
		for i in $(seq '"$CRASH_SMALL"'); do echo "$i $RANDOM" >small/$i || exit 1; done
		systemctl start $UPLOADER' || return 1
	hits=$(_crash_kill) || return 1
	# Else this proved nothing.
	truth killed_at_work [ "$hits" -ge 3 ]
	g 'synced crash 300' || return 1
	same converges crash
	is all_there "$(puts crash | wc -l)" $((CRASH_SMALL + 1))
	# What the server has taken is not written again, whether or not we learnt of it.
	is written_once "$(puts crash | awk '$1 != 1' | head -n 3)" ""
	truth nothing_failed g 'figure_is crash failed -eq 0'
	g 'unmap crash' || return 1
}

# SPDX-License-Identifier: MIT OR GPL-2.0-only
# shellcheck shell=bash
#
# The main job: what happens to files happens to blobs, and nothing is sent twice.

# shellcheck disable=SC2016 # scripts are for the guest to expand
SCENARIOS+=(basic restarts waiting)

scenario_basic()
{
	g 'mkdir -p /srv/basic/old/deep && echo before >/srv/basic/old/deep/file &&
		map basic on_delete=delete' || return 1
	g 'cd /srv/basic && echo one >one && echo two >two && : >empty && mkdir -p a/b/c &&
		seq 1000 >a/b/c/seq && head -c 3M /dev/urandom >large && synced basic' || return 1
	same create basic
	g 'cd /srv/basic && echo more >>one && echo ONE >two && truncate -s 100 a/b/c/seq &&
		synced basic' || return 1
	same modify basic
	g 'cd /srv/basic && echo new >temp && mv temp one && ln two second && rm empty &&
		mv a/b moved && mv moved/c/seq . && rm -r old && synced basic' || return 1
	same rename_and_delete basic
	_rename_copies
	g 'unmap basic' || return 1
}

# What has lain there long enough for its row to be trusted is copied by the server.
_rename_copies()
{
	local before

	g 'cd /srv/basic && head -c 2M /dev/urandom >original && synced basic' || return 1
	before=$(g 'fig basic stats/uploaded_bytes; fig basic stats/copied_blobs')
	g 'cd /srv/basic && mv original renamed && synced basic' || return 1
	is rename_copies "$(g 'fig basic stats/uploaded_bytes; fig basic stats/copied_blobs')" \
		"$(echo "$before" | awk 'NR == 2 { $1++ } 1')"
	same rename_is_whole basic
}

# A restart, a crash of nothing, a second enable: all is found as it was left.
scenario_restarts()
{
	local before

	g 'map restarts && cd /srv/restarts && for i in $(seq 300); do mkdir -p d$((i % 7)) &&
		echo $i >d$((i % 7))/$i || exit 1; done && synced restarts' || return 1
	same first restarts
	# What was written within a clock tick of its upload is hashed once more, not sent.
	before=$(g 'sent restarts')
	is all_sent "${before%% *}" uploaded_files=300
	g 'pid=$(uploader_pid) && systemctl restart $UPLOADER && until_true 60 has_uploader &&
		[ "$(uploader_pid)" != "$pid" ] && synced restarts' || return 1
	is restart_sends_nothing "$(g 'sent restarts')" "$before"
	g 'pid=$(uploader_pid) && kill -9 $pid && until_true 60 other_uploader $pid &&
		synced restarts' || return 1
	is kill_sends_nothing "$(g 'sent restarts')" "$before"
	is written_once "$(puts restarts | awk '$1 != 1' | head -n 3)" ""
	_second_enable
	g 'unmap restarts' || return 1
}

_second_enable()
{
	g 'azure-storagectl disable restarts && echo offline >/srv/restarts/offline &&
		azure-storagectl enable restarts && synced restarts' || return 1
	is enable_sends_what_is_new "$(puts restarts | awk '{ n += $1 } END { print n }')" 301
	same second_enable restarts
}

scenario_waiting()
{
	g 'map waiting && echo first >/srv/waiting/first && synced waiting' || return 1
	g 'systemctl stop $UPLOADER && until_true 30 has_state waiting waiting' || return 1
	g 'for i in $(seq 50); do echo $i >/srv/waiting/$i; done; rm /srv/waiting/first'
	truth changes_are_kept g 'until_true 30 figure_is waiting pending -ge 50'
	g 'azure-storagectl flush waiting --timeout=1 >/dev/null'
	is flush_says_not_yet $? 3
	g 'systemctl start $UPLOADER && synced waiting' || return 1
	g 'echo first >/srv/waiting/first; synced waiting' || return 1
	same converges waiting
	g 'unmap waiting' || return 1
}

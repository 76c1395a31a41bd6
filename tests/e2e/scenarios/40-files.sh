# SPDX-License-Identifier: MIT OR GPL-2.0-only
# shellcheck shell=bash
#
# Files that do not hold still, and files that are open for long.

# shellcheck disable=SC2016 # scripts are for the guest to expand
SCENARIOS+=(changing kept_open large)

CHANGING_S=20

# Of `whole` every version has the same line, 2000 times: what else a blob holds was
# read while it was written.
_changing_watch()
{
	local end=$((SECONDS + CHANGING_S)) seen=0 torn=0 lines

	while [ $SECONDS -lt $end ]; do
		lines=$(account changing/whole cat | sort | uniq -c | awk '{ print $1 }')
		[ -z "$lines" ] || seen=$((seen + 1))
		[ -z "$lines" ] || [ "$lines" = 2000 ] || torn=$((torn + 1))
		sleep 0.3
	done
	truth versions_were_seen [ "$seen" -ge 3 ]
	is no_torn_version "$torn" 0
}

scenario_changing()
{
	local writers

	g "map changing settle_ms=50 on_delete=delete delete_limit=100000 && cd /srv/changing &&
	yes 0 | head -n 2000 >whole && synced changing &&
	cat >/root/changing.sh <<'END'
	end=\$((SECONDS + $CHANGING_S))
	i=0
	while [ \$SECONDS -lt \$end ]; do
		i=\$((i + 1))
		yes \$i | head -n 2000 >whole
		printf '%08d\n' \$i >same-size
		echo \$i >>grows
		echo \$i >comes-and-goes; rm comes-and-goes
		echo \$i >other; mv other one
		head -c \$((RANDOM * 200)) /dev/zero >sizes
		mkdir dir && echo \$i >dir/file && mv dir dir.\$((i % 3)).new &&
			rm -rf dir.\$((i % 3)) && mv dir.\$((i % 3)).new dir.\$((i % 3))
	done
END
	" || return 1
	g 'cd /srv/changing && bash -e /root/changing.sh' &
	writers=$!
	_changing_watch
	wait "$writers" || return 1
	g 'synced changing' || return 1
	same converges changing
	truth nothing_failed g 'figure_is changing failed -eq 0'
	g 'unmap changing' || return 1
}

# NAME's metadata in a container that anybody may read, of blobs whose name holds NAME.
_metadata()
{
	curl -s "http://127.0.0.1:$ACCOUNT_PORT/$AZURITE_ACCOUNT/$1?restype=container&comp=list&include=metadata" |
		grep -o "<Name>$2</Name>.*</Metadata>" | sed 's/<\/Metadata>.*//'
}

_is_unquiet()
{
	_metadata kept-open log | grep -qi '<azs_unquiet>1<'
}

scenario_kept_open()
{
	account kept-open mkdir || return 1
	g 'map kept-open max_lag_ms=1500 && cd /srv/kept-open || exit 1
		(exec >log; echo begun; until [ -e /root/close ]; do sleep 0.1; done; echo ended) \
			</dev/null 2>/dev/null & disown' || return 1
	truth uploaded_while_open g 'until_true 60 figure_is kept-open stats/uploaded_files -ge 1'
	truth marked _is_unquiet
	truth counted g 'until_true 30 figure_is kept-open open_writers -eq 1'
	is holds_what_was_written "$(account kept-open/log cat)" begun
	g 'touch /root/close; until_true 60 figure_is kept-open open_writers -eq 0 && synced kept-open' ||
		return 1
	same whole_after_close kept-open
	is not_empty "$(_metadata kept-open log | grep -ci '<azs_owner>')" 1
	is mark_is_gone "$(_is_unquiet; echo $?)" 1
	g 'rm /root/close; unmap kept-open' || return 1
}

# One that is 4 times as large as the memory allowed, in a folder for root alone.
scenario_large()
{
	g 'mkdir -m 700 /srv/large && map large && cd /srv/large && umask 077 &&
		systemctl restart $UPLOADER && until_true 60 has_uploader &&
		head -c 300M /dev/urandom >file && synced large 400' || return 1
	same whole large
	is in_one_step "$(puts large)" "1 file"
	truth memory_bounded g 'hwm=$(awk "/^VmHWM/ { print \$2 }" /proc/$(uploader_pid)/status)
		echo "VmHWM $hwm KiB" >&2; [ "$hwm" -gt 0 ] && [ "$hwm" -lt 65536 ]'
	_large_confined
	g 'unmap large' || return 1
}

_large_confined()
{
	is no_capabilities "$(g 'grep -c "^Cap[A-Za-z]*:.0*$" /proc/$(uploader_pid)/status')" 5
	is own_user "$(g 'stat -c %U /proc/$(uploader_pid)')" azure-storage
	# As that user, in the mount namespace of the uploader.
	is cannot_read_folder "$(_large_as_uploader /srv/large/file)" denied
	is cannot_read_root "$(_large_as_uploader /root/guest.sh)" denied
	is cannot_read_credentials "$(_large_as_uploader /etc/azure-storage/credentials.d/default)" denied
	is holds_no_folder "$(g 'ls -l /proc/$(uploader_pid)/fd | grep -c " /srv"')" 0
}

_large_as_uploader()
{
	g "nsenter -t \$(uploader_pid) -m setpriv --reuid azure-storage --regid azure-storage \
		--clear-groups cat $1 >/dev/null 2>/root/denied && echo read ||
		{ grep -q 'Permission denied\|No such file' /root/denied && echo denied; }"
}

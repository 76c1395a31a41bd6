# SPDX-License-Identifier: MIT OR GPL-2.0-only
# shellcheck shell=bash
#
# What is wrong around the uploader: key, server, container, disk. It says so, waits,
# and goes on by itself once it is mended.

# shellcheck disable=SC2016 # scripts are for the guest to expand
SCENARIOS+=(wrong_key server_gone container_gone full_disk)

scenario_wrong_key()
{
	g 'map wrong-key && echo first >/srv/wrong-key/first && synced wrong-key' || return 1
	# systemd sees the change and restarts the uploader.
	credential_put "$(printf 'no key of this account' | base64)"
	truth blocks g 'wait_state wrong-key blocked'
	g 'echo second >/srv/wrong-key/second; echo FIRST >/srv/wrong-key/first'
	truth says_why g 'fig wrong-key last_error | grep -q 403'
	g 'azure-storagectl status wrong-key >/dev/null'
	is status_fails $? 1
	truth changes_are_kept g '[ "$(dirty wrong-key)" -ge 2 ]'
	credential_put "$AZURITE_KEY"
	truth recovers g 'wait_state wrong-key live && synced wrong-key'
	same converges wrong-key
	truth error_is_taken_back g 'until_true 30 has_no_error wrong-key'
	g 'unmap wrong-key' || return 1
}

scenario_server_gone()
{
	g 'map server-gone on_delete=delete && echo first >/srv/server-gone/first && synced server-gone' || return 1
	account_vanish
	g 'cd /srv/server-gone && for i in $(seq 40); do echo $i >$i; done; rm first; echo again >first'
	truth blocks g 'wait_state server-gone blocked'
	truth says_why g 'fig server-gone last_error | grep -q 10.0.2.2'
	g 'cd /srv/server-gone && mv 1 one && echo late >late'
	account_return
	truth recovers g 'synced server-gone'
	same converges server-gone
	g 'unmap server-gone' || return 1
}

scenario_container_gone()
{
	g 'map container-gone && echo first >/srv/container-gone/first && synced container-gone' ||
		return 1
	account container-gone purge || return 1
	g 'echo second >/srv/container-gone/second'
	truth blocks g 'wait_state container-gone blocked'
	truth says_why g 'fig container-gone last_error | grep -qi container'
	# Anew it would be empty, and look as if all were well.
	is not_made_anew "$(account '' lsd | grep -c container-gone)" 0
	truth change_is_kept g '[ "$(dirty container-gone)" -ge 1 ]'
	g 'unmap container-gone' || return 1
}

scenario_full_disk()
{
	local state=/var/lib/azure-storage

	g "systemctl stop \$UPLOADER && mount -t tmpfs -o size=2M,mode=700 tmpfs $state &&
		chown azure-storage: $state && systemctl start \$UPLOADER && map full-disk &&
		echo first >/srv/full-disk/first && synced full-disk" || return 1
	g "dd if=/dev/zero of=$state/fill bs=4k 2>/dev/null
		for i in \$(seq 400); do echo \$i >/srv/full-disk/\$i; done"
	truth blocks g 'wait_state full-disk blocked'
	truth says_why g 'fig full-disk last_error | grep -qi full'
	truth changes_are_kept g '[ "$(dirty full-disk)" -ge 1 ]'
	g "rm $state/fill"
	truth recovers g 'synced full-disk'
	same converges full-disk
	is written_once "$(puts full-disk | awk '$1 != 1' | head -n 3)" ""
	g "unmap full-disk && systemctl stop \$UPLOADER && umount $state && systemctl start \$UPLOADER &&
		until_true 60 has_uploader" || return 1
}

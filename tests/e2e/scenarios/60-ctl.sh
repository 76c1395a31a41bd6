# SPDX-License-Identifier: MIT OR GPL-2.0-only
# shellcheck shell=bash
#
# azure-storagectl, as people and scripts use it.

# shellcheck disable=SC2016 # scripts are for the guest to expand
SCENARIOS+=(ctl push)

# _code COMMAND: its exit status in the guest.
_code()
{
	g "$1 >/dev/null 2>&1; echo \$?"
}

scenario_ctl()
{
	is nothing_mapped "$(_code 'azure-storagectl status')" 0
	g 'mkdir -p /srv/ctl && azure-storagectl add ctl path=/srv/ctl account=$ACCOUNT container=ctl \
		endpoint=$ENDPOINT' || return 1
	is disabled "$(g 'fig ctl state')" disabled
	is named_and_disabled "$(_code 'azure-storagectl status ctl')" 3
	is add_twice "$(_code 'azure-storagectl add ctl path=/srv/ctl account=$ACCOUNT container=ctl')" 1
	is add_nonsense "$(_code 'azure-storagectl add ctl2 path=/srv/ctl account=$ACCOUNT container=ctl2 settle_ms=never')" 1
	is nothing_remains "$(g 'ls -d /sys/kernel/config/azure_storage/ctl2 2>/dev/null')" ""
	is usage "$(_code 'azure-storagectl flush')" 2
	g 'echo one >/srv/ctl/one; azure-storagectl enable ctl' || return 1
	is flush "$(_code 'azure-storagectl flush ctl --timeout=60')" 0
	is in_sync "$(_code 'until_true 30 azure-storagectl status ctl')" 0
	is listed "$(g 'azure-storagectl list' | grep -c '/srv/ctl.*ctl')" 1
	is json "$(g 'azure-storagectl status ctl --json' | jq_get state)" live
	is remove_live "$(_code 'azure-storagectl remove ctl')" 1
	_ctl_behind
	is disable "$(_code 'azure-storagectl disable ctl')" 0
	is remove "$(_code 'azure-storagectl remove ctl')" 0
	is no_such_mapping "$(_code 'azure-storagectl status ctl')" 1
	is files_stay "$(g 'cat /srv/ctl/one')" one
	is blobs_stay "$(account ctl/one cat)" one
	g 'rm -r /srv/ctl'
}

# Without an uploader nothing moves.
_ctl_behind()
{
	g 'systemctl stop $UPLOADER && until_true 30 has_state ctl waiting; echo two >/srv/ctl/two'
	is behind "$(_code 'azure-storagectl status ctl')" 3
	is flush_in_vain "$(_code 'azure-storagectl flush ctl --timeout=1')" 3
	g 'systemctl start $UPLOADER'
	is flush_again "$(_code 'azure-storagectl flush ctl --timeout=60')" 0
}

# The first field of that name in what is JSON for people.
jq_get()
{
	sed -n 's/.*"'"$1"'": *"\([^"]*\)".*/\1/p' | head -n 1
}

# Without the module, and for somebody who is nobody.
scenario_push()
{
	local as

	g 'id somebody >/dev/null 2>&1 || useradd -m somebody
		rm -rf /srv/push && mkdir -m 755 /srv/push && cd /srv/push && mkdir -p a/b &&
		for i in $(seq 60); do echo $i >a/$i; done; head -c 9M /dev/urandom >a/b/large
		chown -R somebody: /srv/push' || return 1
	as="runuser -u somebody -- env AZURE_STORAGE_ACCOUNT=\$ACCOUNT AZURE_STORAGE_KEY=$AZURITE_KEY"
	as+=" ALLOWED_HOSTS=10.0.2.2 ALLOW_HTTP=1"
	is first "$(_code "$as azure-storagectl push --quiet /srv/push \$ENDPOINT/push")" 0
	same is_there push
	is second "$(_code "$as azure-storagectl push --quiet /srv/push \$ENDPOINT/push")" 0
	is second_sends_nothing "$(puts push | awk '$1 != 1' | head -n 3)" ""
	g 'echo new >/srv/push/a/1; rm /srv/push/a/2'
	is third "$(_code "$as azure-storagectl push --quiet /srv/push \$ENDPOINT/push on_delete=delete")" 0
	same follows push
	is wrong_key "$(_code "$as AZURE_STORAGE_KEY=bm9uZQ== azure-storagectl push --quiet /srv/push \$ENDPOINT/push")" 1
	g 'rm -rf /srv/push'
}

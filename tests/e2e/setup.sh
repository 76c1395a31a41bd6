# SPDX-License-Identifier: MIT OR GPL-2.0-only
# shellcheck shell=bash disable=SC2016 # scripts are for the guest to expand
#
# What `run` and `packages` share: sourced after tests/lib/common.sh, with GUEST_NAME
# and WORK set.
#
#   guest_prepare        the account's address and key, guest.sh and a short delay of
#                        deletions, for the guest's uploader
#   credential_put KEY   what the uploader shall sign with
#   build_packages       build/deb/*.deb, unless AZS_DEBS_BUILT says that they are of today

# shellcheck source=tests/lib/need.sh
. "$AZS_TOP/tests/lib/need.sh"
# shellcheck source=tests/lib/klog.sh
. "$AZS_TOP/tests/lib/klog.sh"
# shellcheck source=tests/lib/qemu.sh
. "$AZS_TOP/tests/lib/qemu.sh"
# shellcheck source=tests/lib/debian.sh
. "$AZS_TOP/tests/lib/debian.sh"
# shellcheck source=tests/lib/azurite.sh
. "$AZS_TOP/tests/lib/azurite.sh"
# shellcheck source=tests/lib/results.sh
. "$AZS_TOP/tests/lib/results.sh"
# shellcheck source=tests/e2e/lib.sh
. "$AZS_TOP/tests/e2e/lib.sh"

credential_put()
{
	guest_exec "umask 077; printf '%s\n' 'AZURE_STORAGE_KEY=$1' ALLOWED_HOSTS=10.0.2.2 \
		ALLOW_HTTP=1 >/etc/azure-storage/credentials.d/default"
}

guest_prepare()
{
	guest_put "$AZS_TOP/tests/e2e/guest.sh" /root/guest.sh
	guest_exec "echo ENDPOINT=http://10.0.2.2:$RELAY_PORT/$AZURITE_ACCOUNT ACCOUNT=$AZURITE_ACCOUNT >/root/e2e.env"
	# A deletion is looked at twice, but not a minute apart.
	guest_exec 'printf "[uploader]\ndelete_delay_ms = 500\n" >/etc/azure-storage/azure-storage.conf'
	credential_put "$AZURITE_KEY"
}

build_packages()
{
	[ -z "${AZS_DEBS_BUILT:-}" ] || return 0
	make -C "$AZS_TOP" --no-print-directory deb >"$WORK/deb.log" 2>&1 ||
		die "the packages could not be built; the log: $WORK/deb.log"
}

# SPDX-License-Identifier: MIT OR GPL-2.0-only
# shellcheck shell=bash
#
# What every test script of the project shares: where things are, and how to
# stop with a message. Source it first; the other files of tests/lib expect it.
#
#   AZS_TOP     top of the source tree
#   AZS_BUILD   build products, inside the tree, never in git
#   AZS_CACHE   downloads and images, outside the tree, kept between runs

AZS_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
AZS_BUILD=${AZS_BUILD:-$AZS_TOP/build}
AZS_CACHE=${AZS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/azure-storage-dev}
export AZS_TOP AZS_BUILD AZS_CACHE

# A failure inside $(...) must stop the script as it does elsewhere.
shopt -s inherit_errexit

# Progress and diagnostics go to stderr: stdout belongs to answers and verdicts.
say()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die()
{
	say "$*"
	exit 1
}

# A wrong command line is told apart from a failed test by its exit status.
usage_error()
{
	say "$*"
	exit 2
}

# with_lock FILE COMMAND...: one holder at a time, whoever else runs tests on
# this machine. COMMAND runs in a subshell; its status is returned.
with_lock()
{
	local lock=$1

	shift
	mkdir -p "$(dirname "$lock")"
	(
		flock 9
		"$@"
	) 9>"$lock"
}

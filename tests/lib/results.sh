# SPDX-License-Identifier: MIT OR GPL-2.0-only
# shellcheck shell=bash
#
# How every suite of the project says what came out. One line a test, appended
# to the file named by $AZS_RESULTS (nothing is written when it is not set):
#
#   ok|fail|skip<TAB>suite<TAB>name<TAB>detail
#
# and the same for people on stdout. tests/summary adds the file up.
#
#   results_start SUITE            begin; names the suite of what follows
#   results_record VERDICT NAME [DETAIL]
#   results_end                    status 0 when nothing failed and something ran
#   results_run SUITE COMMAND...   run a suite that records for itself, and record
#                                  a failure when it failed, or ran, in silence

RESULTS_SUITE=
RESULTS_SEEN=0
RESULTS_FAILED=0

results_start()
{
	RESULTS_SUITE=${1:?results_start SUITE}
	RESULTS_SEEN=0
	RESULTS_FAILED=0
}

_results_field()
{
	local field=${1//[$'\t\r\n']/ }

	printf '%s' "${field:0:1000}"
}

results_record()
{
	local verdict=$1 name detail

	name=$(_results_field "$2")
	detail=$(_results_field "${3:-}")
	case $verdict in
	ok | skip) ;;
	fail) RESULTS_FAILED=$((RESULTS_FAILED + 1)) ;;
	*)
		detail="unknown verdict '$verdict': $detail"
		verdict=fail
		RESULTS_FAILED=$((RESULTS_FAILED + 1))
		;;
	esac
	RESULTS_SEEN=$((RESULTS_SEEN + 1))
	if [ -n "${AZS_RESULTS:-}" ]; then
		# One write of one line: suites may run side by side.
		printf '%s\t%s\t%s\t%s\n' "$verdict" "$RESULTS_SUITE" "$name" "$detail" \
			>>"$AZS_RESULTS"
	fi
	printf '%-4s %s: %s%s\n' "$verdict" "$RESULTS_SUITE" "$name" "${detail:+ - $detail}"
}

results_end()
{
	if [ "$RESULTS_SEEN" -eq 0 ]; then
		results_record fail "(suite)" "no test reported anything"
	fi
	[ "$RESULTS_FAILED" -eq 0 ]
}

_results_lines()
{
	if [ -n "${AZS_RESULTS:-}" ] && [ -e "$AZS_RESULTS" ]; then
		wc -l <"$AZS_RESULTS"
	else
		echo 0
	fi
}

_results_fails_after()
{
	tail -n "+$(($1 + 1))" "$AZS_RESULTS" 2>/dev/null | grep -c '^fail' || true
}

results_run()
{
	local suite=$1 before status=0

	shift
	results_start "$suite"
	before=$(_results_lines)
	"$@" || status=$?
	[ -n "${AZS_RESULTS:-}" ] || return "$status"
	if [ "$(_results_lines)" -eq "$before" ]; then
		results_record fail "(suite)" "recorded nothing, exit status $status: $*"
		return 1
	fi
	if [ "$status" -ne 0 ] && [ "$(_results_fails_after "$before")" -eq 0 ]; then
		results_record fail "(suite)" "exit status $status without a failed test: $*"
	fi
	return "$status"
}

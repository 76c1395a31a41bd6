# SPDX-License-Identifier: MIT OR GPL-2.0-only
# shellcheck shell=bash
#
# Every name that a file can have. The blobs' names are written out by hand: they are
# a format that others read.

# shellcheck disable=SC2016 # scripts are for the guest to expand
SCENARIOS+=(names)

# file PATH BLOB: `BLOB` is where the path has to arrive.
_names_table()
{
	local long deep

	long=$(printf 'n%.0s' {1..255})
	deep=$(printf "${long:0:100}/%.0s" {1..30})
	file 'with space' 'with space'
	file ' leading and trailing ' ' leading and trailing '
	file "it's \"quoted\"" "it's \"quoted\""
	file '100%' '100%'
	file '%41' '%41'
	file 'C#' 'C#'
	file 'what?' 'what?'
	file 'a?b=c&d=e' 'a?b=c&d=e'
	file '+plus+' '+plus+'
	file '<tag>&amp;' '<tag>&amp;'
	file 'a:b*c|d;e,f' 'a:b*c|d;e,f'
	file '~tilde' '~tilde'
	file '[brackets]{braces}' '[brackets]{braces}'
	file 'back\slash' 'back=5Cslash'
	file $'new\nline' 'new=0Aline'
	file $'carriage\rreturn' 'carriage=0Dreturn'
	file $'tab\tand\x01\x7f' 'tab=09and=01=7F'
	file 'grün' 'grün'
	file '日本語/ファイル' '日本語/ファイル'
	file '🙂' '🙂'
	file $'nfd-u\xcc\x88' $'nfd-u\xcc\x88'
	file $'latin-\xfc' 'latin-=FC'
	file $'cut-\xe6\x97' 'cut-=E6=97'
	file $'surrogate-\xed\xa0\x80' 'surrogate-=ED=A0=80'
	file $'nonchar-\xef\xbf\xbe' 'nonchar-=EF=BF=BE'
	file 'dot.' 'dot=2E'
	file 'dots...' 'dots..=2E'
	file '...' '..=2E'
	file 'dir./file' 'dir=2E/file'
	file '.hidden' '.hidden'
	file '=' '='
	file '=41' '=3D41'
	file '=4g' '=4g'
	file '=3D41' '=3D3D41'
	file '=lower-ab' '=lower-ab'
	file '=long/file' '=3Dlong/file'
	file '-rf' '-rf'
	file "$long" "$long"
	file "${deep}end" "=long/$(printf '%s' "${deep}end" | sha256sum | cut -d ' ' -f 1)"
	deep=$(printf 'd/%.0s' {1..300})
	file "${deep}end" "=long/$(printf '%s' "${deep}end" | sha256sum | cut -d ' ' -f 1)"
}

_names_diff()
{
	_remote_hashes names | LC_ALL=C sort | diff <(LC_ALL=C sort "$1") - | head -n 5
}

# Each holds its own path, so that no two are alike.
scenario_names()
{
	local tree=$WORK/names want=$WORK/names.want nr=0

	rm -rf "$tree"
	mkdir -p "$tree"
	: >"$want"
	file()
	{
		nr=$((nr + 1))
		printf '%s\0' "$1" >>"$tree/paths"
		printf '%s  %s\n' "$(printf '%s' "$1" | md5sum | cut -d ' ' -f 1)" "$2" >>"$want"
	}
	_names_table
	unset -f file
	guest_put "$tree/paths" /root/paths
	g 'map names on_delete=delete delete_limit=1000 && cd /srv/names && export LC_ALL=C
		while IFS= read -r -d "" path; do
		dir=
		[ "${path%/*}" = "$path" ] || dir=${path%/*}/
		mkdir -p -- "./$dir" && printf %s "$path" >"./$path" || exit 1
		done </root/paths && synced names' || return 1
	is number_of_files "$(g 'find /srv/names -type f -printf .' | wc -c)" "$nr"
	is where_they_are "$(_names_diff "$want")" ""
	truth nothing_failed g 'figure_is names failed -eq 0'
	g 'cd /srv/names && rm -rf -- * .hidden ... && echo left >left && synced names' || return 1
	same all_are_deleted names
	g 'unmap names' || return 1
}

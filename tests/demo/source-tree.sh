# SPDX-License-Identifier: MIT OR GPL-2.0-only
# shellcheck shell=bash
#
# source_tree_tarball: prints the path of a Debian source package's tarball, thousands
# of files, downloaded once with the host's apt configuration.

SOURCE_TREE_PACKAGE=git

source_tree_tarball()
{
	local dir=$AZS_CACHE/source-tree tarball apt list
	shopt -s nullglob
	tarball=("$dir/$SOURCE_TREE_PACKAGE"_*.orig.tar.*)
	shopt -u nullglob
	if [ ${#tarball[@]} -gt 0 ]; then
		printf '%s\n' "${tarball[0]}"
		return
	fi
	list=$(mktemp -d)
	mkdir -p "$dir" "$list/lists/partial"
	# The host may have no deb-src lines: the same places, in lists of our own.
	# shellcheck disable=SC2016 # the variables are apt's
	apt-get indextargets --format '$(ORIGIN)|$(REPO_URI)|$(CODENAME)|$(COMPONENT)' \
		"Identifier: Packages" |
		sed -n 's#^Debian|\([^|]*\)|\([a-z]*\)|main$#deb-src \1 \2 main#p' |
		sort -u | head -n 1 >"$list/sources.list"
	apt=(apt-get -q -o Dir::Etc::SourceList="$list/sources.list" -o Dir::Etc::SourceParts=/dev/null
		-o Dir::State::Lists="$list/lists" -o APT::Sandbox::User=root)
	"${apt[@]}" update >&2
	(cd "$dir" && "${apt[@]}" source --download-only --tar-only "$SOURCE_TREE_PACKAGE" >&2)
	rm -rf "$list"
	shopt -s nullglob
	tarball=("$dir/$SOURCE_TREE_PACKAGE"_*.orig.tar.*)
	shopt -u nullglob
	[ ${#tarball[@]} -gt 0 ] || die "no source package of $SOURCE_TREE_PACKAGE could be downloaded"
	printf '%s\n' "${tarball[0]}"
}

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Lays this tree over a Linux 6.12 source tree, in place of the kernel's own
# drivers/vfio and vfio headers, or takes it away again.  Everything that it
# replaces or edits is kept in .vfio-overlay in the kernel's tree, with a list
# of the files that it laid.  Every step can be interrupted: run it again, or
# undo.

set -eu

usage()
{
	cat <<-END
	usage: overlay.sh KERNEL
	       overlay.sh --undo KERNEL

	Lays drivers/vfio, include/, Documentation/, samples/vfio,
	tools/testing/selftests/vfio and tools/vfio-mig over the Linux 6.12 source
	tree KERNEL, and adds them to its MAINTAINERS, to its indexes of
	documentation, and to the lists of samples and of selftests.  Files that
	are the same already are not touched, so that make does not build again
	what depends on them.  --undo restores the kernel's tree.

	While it is laid, the kernel's own mediated devices and their users
	(KVMGT, samples/vfio-mdev, s390's) and its other variant drivers cannot be
	built.
	END
}

die()
{
	echo "overlay.sh: $*" >&2
	exit 1
}

undo=
case ${1-} in
--help) usage; exit 0 ;;
--undo) undo=1; shift ;;
esac
[ $# = 1 ] || { usage >&2; exit 2; }
[ -n "$1" ] || die "say which source tree: KERNEL=DIR"

top=$(dirname "$(dirname "$(realpath "$0")")")
[ -d "$1" ] || die "$1 is not a directory"
cd "$1"
for line in 'VERSION = 6' 'PATCHLEVEL = 12'; do
	grep -qsx "$line" Makefile ||
		die "$1 is not the source of Linux 6.12 (its Makefile does" \
			"not say \"$line\")"
done
grep -qs '^source "drivers/vfio/Kconfig"$' drivers/Kconfig ||
	die "$1 is not a whole source tree (no drivers/Kconfig)"
[ ! Makefile -ef "$top/Makefile" ] || die "$1 is this tree itself"

aside=.vfio-overlay
# Directories that hold nothing of the kernel's while this tree is laid
owned=(drivers/vfio samples/vfio tools/testing/selftests/vfio tools/vfio-mig)

# Paths of the files that are copied from this tree: sources, not what is built
# from them
copied()
{
	(
		cd "$top"
		find drivers/vfio include -type f \( -name '*.[ch]' -o \
			-name Kconfig -o -name Makefile -o \
			-name .kunitconfig \) ! -path 'include/stock/*' \
			! -path 'include/compat/*'
		# Not the indexes: the kernel has its own.
		find Documentation -mindepth 2 -type f \( -name '*.rst' -o \
			-name '*.svg' -o -path '*/ABI/*' \) ! -name index.rst
		for dir in "${owned[@]:1}"; do
			[ ! -d "$dir" ] || find "$dir" -type f \( \
				-name '*.[ch]' -o -name '*.sh' -o \
				-name '*.[1-8]' -o -name '[KM]*' -o \
				-name config -o -name settings -o \
				-name completion -o -name '*.json' -o \
				-name validate -o \
				-name 'README*' -o -name .gitignore \) \
				! -name '*.mod.c'
		done
	)
}

# Paths of the kernel's files that are edited.  Each of them is the kernel's own
# file with a few lines more: see edit().
edited()
{
	local path

	for path in MAINTAINERS Documentation/admin-guide/index.rst \
		Documentation/driver-api/index.rst samples/Kconfig \
		samples/Makefile tools/testing/selftests/Makefile; do
		if [ ! -e "$path" ] && [ ! -e "$aside/kernel/$path" ]; then
			continue	# not a whole tree
		fi
		case $path in
		samples/*) [ -d "$top/samples/vfio" ] || continue ;;
		MAINTAINERS) [ -e "$top/MAINTAINERS" ] || continue ;;
		esac
		echo "$path"
	done
}

# Our entries of MAINTAINERS, with the files that are laid
maintainers()
{
	local line entry='' files=''

	{ sed '1,/^Maintainers List$/d' "$top/MAINTAINERS"; echo; } |
		sed '1,/^$/d' | while IFS= read -r line; do
			case $line in
			F:*)
				# shellcheck disable=SC2086 # a pattern
				set -- ${line#F:?}
				[ -e "$1" ] || continue
				files=1
				;;
			'')
				[ -z "$files" ] || echo "$entry"
				entry='' files=''
				continue
				;;
			esac
			entry+=$line$'\n'
		done
}

# Merges the entries of the file $1 into those of standard input; both are
# sorted by their first lines.
merge_entries()
{
	awk -v ours="$1" '
		function next_of_ours() {
			entry = ""
			while ((getline line <ours) > 0 && line != "")
				entry = entry line "\n"
			split(entry, lines, "\n")
			title = lines[1]
		}
		BEGIN { next_of_ours() }
		in_list && after_blank {
			while (title != "" &&
			       ($0 == "THE REST" || title < toupper($0))) {
				print entry
				next_of_ours()
			}
		}
		/^Maintainers List$/ { in_list = 1 }
		{ after_blank = $0 == ""; print }'
}

# edit PATH: the kernel's file on standard input, with our lines added
edit()
{
	case $1 in
	MAINTAINERS)
		maintainers >"$aside/entries"
		LC_ALL=C merge_entries "$aside/entries"
		;;
	Documentation/*)
		cat
		printf '\n.. toctree::\n   :maxdepth: 1\n\n   vfio-index\n'
		;;
	samples/Kconfig)
		sed 's,^endif # SAMPLES$,source "samples/vfio/Kconfig"\n\n&,'
		;;
	samples/Makefile)
		cat
		# shellcheck disable=SC2016 # for make
		echo 'obj-$(CONFIG_SAMPLE_VFIO_MIGRATION) += vfio/'
		;;
	tools/testing/selftests/Makefile)
		sed 's,^TARGETS += x86$,TARGETS += vfio\n&,'
		;;
	esac
}

# Moves a path of the kernel's out of the way.
put_aside()
{
	[ ! -e "$aside/kernel/$1" ] || return 0
	mkdir -p "$aside/kernel/$(dirname "$1")"
	mv "$1" "$aside/kernel/$1"
}

# Puts back the kernel's own, if there was one.
put_back()
{
	[ -e "$aside/kernel/$1" ] || return 0
	mkdir -p "$(dirname "$1")"
	mv "$aside/kernel/$1" "$1"
}

# What is in the kernel's tree because of us; one path a line.
laid()
{
	[ ! -e "$aside/laid" ] || cat "$aside/laid"
}

# Removes the directory of a file of ours, and its parents, if they are empty.
remove_empty()
{
	rmdir -p --ignore-fail-on-non-empty "$(dirname "$1")" 2>/dev/null || :
}

# lay_file FROM PATH: files that are the same already are not touched.
lay_file()
{
	local dir=./$2

	! cmp -s "$1" "$2" || return 0
	dir=${dir%/*}
	[ -d "$dir" ] || mkdir -p "$dir"
	cp "$1" "$aside/new"
	mv "$aside/new" "$2"
}

lay_edited()
{
	local path original

	while read -r path; do
		original=$aside/kernel/$path
		edit "$path" <"$original" >"$aside/text"
		! cmp -s "$aside/text" "$original" ||
			die "$path has no place for our lines; undo with --undo"
		chmod --reference="$original" "$aside/text"
		lay_file "$aside/text" "$path"
	done <"$aside/edited"
}

lay()
{
	local path

	mkdir -p "$aside"
	if [ ! -e "$aside/begun" ]; then
		for path in "${owned[@]}" include/linux/vfio*.h; do
			[ ! -e "$path" ] || put_aside "$path"
		done
		: >"$aside/begun"
	fi

	copied >"$aside/copied"
	edited >"$aside/edited"
	LC_ALL=C sort "$aside/copied" "$aside/edited" >"$aside/ours"
	laid | LC_ALL=C sort -u >"$aside/before"
	# No longer ours: renamed or removed since the last time.
	LC_ALL=C comm -13 "$aside/ours" "$aside/before" | while read -r path; do
		rm -f "$path"
		put_back "$path"
		remove_empty "$path"
	done
	LC_ALL=C comm -23 "$aside/ours" "$aside/before" | while read -r path; do
		[ ! -e "$path" ] || put_aside "$path"
		echo "$path" >>"$aside/laid"
	done
	rm -f "$aside/new"
	while read -r path; do
		lay_file "$top/$path" "$path"
	done <"$aside/copied"
	# Last: MAINTAINERS is given only the names of files that are there.
	lay_edited
	if ! cmp -s "$aside/ours" "$aside/laid"; then
		cp "$aside/ours" "$aside/laid"
	fi
	(cd "$aside" && rm -f ours before copied edited entries text)
}

# Removes all files of ours, puts back all of the kernel's, and removes the
# directories that only files of ours were in.  "laid" is gone before the first
# file is put back: if this is interrupted, the next run does not remove that
# file.
take_away()
{
	local path

	[ -d "$aside" ] || die "nothing is laid over $1"
	if [ -e "$aside/begun" ]; then
		laid | while read -r path; do
			rm -f "$path"
		done
		# With what was built there
		rm -rf "${owned[@]}"
		laid >"$aside/gone"
		rm -f "$aside/begun" "$aside/laid"
	fi
	if [ -d "$aside/kernel" ]; then
		for path in "${owned[@]}"; do
			put_back "$path"
		done
		(cd "$aside/kernel" && find . -type f -printf '%P\n') |
			while read -r path; do
				put_back "$path"
			done
	fi
	if [ -e "$aside/gone" ]; then
		while read -r path; do
			remove_empty "$path"
		done <"$aside/gone"
	fi
	rm -rf "$aside"
}

if [ -n "$undo" ]; then
	take_away "$1"
else
	lay
fi

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Lays this tree over a Linux 6.12 source tree, in place of the kernel's own
# drivers/vfio and vfio headers, or takes it away again.  What it replaces is
# kept in .vfio-overlay in the kernel's tree, with a list of what it laid.
# Every step can be interrupted: run it again, or undo.

set -eu

usage()
{
	cat <<-END
	usage: overlay.sh KERNEL
	       overlay.sh --undo KERNEL

	Lays drivers/vfio and include/ over the Linux 6.12 source tree KERNEL.
	Files that are the same already are not touched, so nothing is built
	again because of them.  --undo leaves the kernel's tree as it was before.
	What only the kernel's drivers/vfio has is gone meanwhile: mediated
	devices and their users (KVMGT, samples/vfio-mdev, s390's) and the other
	variant drivers cannot be built.
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
[ -d "$1" ] || die "$1 is no directory"
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
sources=(-name '*.[ch]' -o -name Kconfig -o -name Makefile -o
	-name .kunitconfig)

# Paths of what this tree lays.
ours()
{
	(cd "$top" && find drivers/vfio include -type f \( "${sources[@]}" \) \
		! -path 'include/stock/*' | LC_ALL=C sort)
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

# Removes a directory that held only files of ours, and its parents.
remove_empty()
{
	rmdir -p --ignore-fail-on-non-empty "$1" 2>/dev/null || :
}

lay()
{
	local path

	mkdir -p "$aside"
	if [ ! -e "$aside/begun" ]; then
		for path in drivers/vfio include/linux/vfio*.h; do
			[ ! -e "$path" ] || put_aside "$path"
		done
		: >"$aside/begun"
	fi

	ours >"$aside/ours"
	laid | LC_ALL=C sort -u >"$aside/before"
	# No longer ours: renamed or removed since the last time.
	LC_ALL=C comm -13 "$aside/ours" "$aside/before" | while read -r path; do
		rm -f "$path"
		put_back "$path"
		remove_empty "$(dirname "$path")"
	done
	LC_ALL=C comm -23 "$aside/ours" "$aside/before" | while read -r path; do
		[ ! -e "$path" ] || put_aside "$path"
		echo "$path" >>"$aside/laid"
	done
	while read -r path; do
		if ! cmp -s "$top/$path" "$path"; then
			mkdir -p "$(dirname "$path")"
			cp "$top/$path" "$aside/new"
			mv "$aside/new" "$path"
		fi
	done <"$aside/ours"
	if ! cmp -s "$aside/ours" "$aside/laid"; then
		cp "$aside/ours" "$aside/laid"
	fi
	rm -f "$aside/ours" "$aside/before"
}

take_away()
{
	local path

	[ -d "$aside" ] || die "nothing is laid over $1"
	if [ -e "$aside/begun" ]; then
		laid | while read -r path; do
			rm -f "$path"
			remove_empty "$(dirname "$path")"
		done
		# With what was built there
		rm -rf drivers/vfio
		rm -f "$aside/begun" "$aside/laid"
	fi
	if [ -d "$aside/kernel" ]; then
		(cd "$aside/kernel" && find drivers/vfio include \
			\( -path 'drivers/vfio' -prune -o -type f \) \
			-print 2>/dev/null) | while read -r path; do
			put_back "$path"
		done
	fi
	rm -rf "$aside"
}

if [ -n "$undo" ]; then
	take_away "$1"
else
	lay
fi

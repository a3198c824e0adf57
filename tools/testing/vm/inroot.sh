#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs a command with the hermetic Debian root as its file system, in mount and PID
# namespaces of its own: when the caller ends, for whatever reason, the command and
# all its children end, and nothing stays mounted.  The command sees the root
# read-only, and directories of this machine that --bind names writable under the
# same path.  QEMU, the compiler and other tools are run this way.

set -eu

usage()
{
	cat <<-END
	usage: inroot.sh [--bind DIR]... [--layer DIR] [--chdir DIR] [--net]
	                 [--] COMMAND [ARG]...

	Runs COMMAND in the Debian root (VFIO_ROOT, else root.sh's).
	  --bind DIR    COMMAND sees DIR of this machine under its path, writable
	  --layer DIR   COMMAND sees DIR/usr laid over the root's /usr, as in a VM
	                with this layer (see vm.sh)
	  --chdir DIR   start in DIR
	  --net         in a network namespace of its own, with nothing but lo
	The exit status is COMMAND's.
	END
}

# mount_point DIR: makes DIR in the view.  Where the view is read-only, the nearest
# directory above DIR is replaced by a tmpfs, with its entries bound into that.
mount_point()
{
	local parent=$1 entry

	mkdir -p "$1" 2>/dev/null && return
	while [ ! -d "$parent" ]; do
		parent=$(dirname "$parent")
	done
	exec {fd}<"$parent"
	mount -t tmpfs -o mode=755 inroot "$parent"
	for entry in "/proc/self/fd/$fd"/*; do
		if [ -L "$entry" ]; then
			cp -P "$entry" "$parent/"
			continue
		elif [ -d "$entry" ]; then
			mkdir "$parent/${entry##*/}"
		elif [ -e "$entry" ]; then
			: >"$parent/${entry##*/}"
		else
			continue
		fi
		mount --no-canonicalize --bind "$entry" \
			"$parent/${entry##*/}"
	done
	exec {fd}<&-
	mkdir -p "$1"
}

# enter ROOT LAYER CHDIR COUNT DIR... COMMAND...: runs inside the namespaces, as
# process 1 of the new PID namespace.  Builds the view of the root on a tmpfs, binds
# COUNT DIRs into it and becomes COMMAND.  LAYER may be empty.
enter()
{
	local root=$1 layer=$2 dir=$3 nbind=$4 new=/tmp entry bind lower
	shift 4

	mount --make-rprivate /
	# The tmpfs is about to hide /tmp: open the directories to bind before.
	local -a fds=()
	while [ "$nbind" -gt 0 ]; do
		exec {fd}<"$1"
		fds+=("$fd" "$1")
		shift
		nbind=$((nbind - 1))
	done
	exec {rootfd}<"$root"
	[ -z "$layer" ] || exec {layerfd}<"$layer/usr"
	mount -t tmpfs -o mode=755 inroot "$new"

	cd "/proc/self/fd/$rootfd"
	for entry in *; do
		if [ -L "$entry" ]; then
			cp -P "$entry" "$new/"
			continue
		fi
		mkdir "$new/$entry"
		case $entry in
		boot | etc | opt | sbin | usr | var)
			mount --bind "$entry" "$new/$entry"
			mount -o remount,bind,ro "$new/$entry"
			;;
		tmp)
			chmod 1777 "$new/$entry"
			;;
		esac
	done
	if [ -n "$layer" ]; then
		lower=/proc/self/fd/$layerfd:/proc/self/fd/$rootfd/usr
		mount -t overlay -o "ro,lowerdir=$lower" layer "$new/usr"
		exec {layerfd}<&-
	fi
	mount --rbind /dev "$new/dev"
	mount --rbind /sys "$new/sys"
	mount -t proc proc "$new/proc"

	set -- "${fds[@]}" -- "$@"
	while [ "$1" != -- ]; do
		bind=$new$2
		mount_point "$bind"
		mount --bind "/proc/self/fd/$1" "$bind"
		fd=$1
		exec {fd}<&-
		shift 2
	done
	shift
	exec {rootfd}<&-
	cd /
	# shellcheck disable=SC2016 # expanded by the inner shell
	exec chroot "$new" /bin/sh -c 'cd "$1" && shift && exec "$@"' \
		sh "$dir" "$@"
}

if [ "${1-}" = --inside ]; then
	shift
	enter "$@"
fi

binds=()
layer=
chdir=/
net=
while [ $# -gt 0 ]; do
	case $1 in
	--help) usage; exit 0 ;;
	--bind) binds+=("$(realpath "$2")"); shift 2 ;;
	--layer) layer=$(realpath -e "$2"); shift 2 ;;
	--chdir) chdir=$(realpath "$2"); shift 2 ;;
	--net) net=--net; shift ;;
	--) shift; break ;;
	-*) usage >&2; exit 2 ;;
	*) break ;;
	esac
done
[ $# -gt 0 ] || { usage >&2; exit 2; }

here=$(dirname "$(realpath "$0")")
root=$(realpath "${VFIO_ROOT:-$("$here/root.sh")}")

# setpriv: unshare is killed with the process that called this script.
# --kill-child: process 1 of the namespace is killed with unshare, and all others of
# the namespace with process 1.
exec setpriv --pdeathsig KILL \
	unshare --mount --pid ${net:+"$net"} --fork --kill-child \
	"$here/inroot.sh" --inside "$root" "$layer" "$chdir" "${#binds[@]}" \
	${binds[@]+"${binds[@]}"} env -i \
	PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin \
	HOME=/tmp LC_ALL=C.UTF-8 TERM="${TERM-dumb}" "$@"

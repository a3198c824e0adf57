#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Makes the two small initramfs images that VMs boot with, from the root's
# busybox and kernel modules:
#   host    mounts the root (9p, below an overlay) and starts guest/init there
#   nested  is the whole system of a nested VM, and runs the script it is given
# An image is made once for each root and recipe, and kept in the cache.

set -eu

usage()
{
	cat <<-END
	usage: initramfs.sh host|nested [KERNEL]

	Prints the path of the image, and makes it before if it does not exist.
	It is made from the root (VFIO_ROOT, else root.sh's) and kept in the
	cache (see cache.sh).  Its modules are those of the root's kernel, or of
	KERNEL, a directory as for vm.sh --kernel.
	END
}

case ${1-} in
--help) usage; exit 0 ;;
host) modules=(9p 9pnet_virtio overlay) ;;
nested) modules=(igbvf e1000e nvme virtio_net) ;;
*) usage >&2; exit 2 ;;
esac
kind=$1
kernel=${2-}

here=$(dirname "$(realpath "$0")")
root=$(realpath "${VFIO_ROOT:-$("$here/root.sh")}")
cache=$("$here/cache.sh")
base=${kernel:-$root}
base=$(realpath -e "$base/usr")
kver=$(ls "$base/lib/modules")
hash=$(
	{
		ls -lL --time-style=full-iso "$root/bin/busybox" \
			"${kernel:-$root}/vmlinuz"
		cat "$0" "$here/guest/initramfs-$kind" \
			"$base/lib/modules/$kver/modules.dep"
	} | sha256sum | cut -c1-12
)
image=$cache/initramfs-$kind-$hash
if [ -e "$image" ]; then
	touch "$image"
	echo "$image"
	exit 0
fi

tmp=$(mktemp -d "$cache/initramfs.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/root/modules"
cp "$here/guest/initramfs-$kind" "$tmp/root/init"
chmod +x "$tmp/root/init"

# shellcheck disable=SC2016 # expanded in the root
VFIO_ROOT=$root "$here/inroot.sh" --bind "$tmp" ${kernel:+--bind "$base"} \
	--chdir "$tmp/root" -- \
	bash -euc '
	kver=$1
	base=$2
	shift 2
	mkdir -p bin dev proc sys
	: >modules/order
	cp /bin/busybox bin/
	ln -s busybox bin/sh
	for module; do
		modprobe ${base:+-d "$base"} --set-version "$kver" \
			--show-depends "$module"
	done | while read -r what path _; do
		[ "$what" = insmod ] || continue
		name=${path##*/}
		name=${name%%.ko*}
		[ -e "modules/$name.ko" ] && continue
		case $path in
		*.xz) xz -dc "$path" >"modules/$name.ko" ;;
		*) cp "$path" "modules/$name.ko" ;;
		esac
		echo "$name" >>modules/order
	done
	find . | cpio --quiet -o -H newc | gzip -1 >../image
	' sh "$kver" "${kernel:+$base}" "${modules[@]}"
mv "$tmp/image" "$image"
echo "$image"

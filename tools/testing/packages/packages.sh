#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The Debian packages on an operator's machine: a fresh Debian 13 that has no
# network, and finds in a repository on its own disk what apt is to install.
# The packages are installed in a chroot, where the modules build at the machine's
# own speed.  Then the disk that this makes is booted, several times, in a VM with an
# 82576.

set -u

usage()
{
	cat <<-END
	usage: packages.sh [--no-vm] LOG

	Builds the packages and tests them; logs and the packages are kept in LOG.
	Prints TAP.  Needs root.
	  --no-vm   only what needs no VM
	END
}

vms=1
case ${1-} in
--help) usage; exit 0 ;;
--no-vm) vms=; shift ;;
esac
[ $# = 1 ] || { usage >&2; exit 2; }

here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../../..")
vm=$top/tools/testing/vm
mkdir -p "$1"
log=$(realpath "$1")
machine=$log/machine
image=$log/image
# shellcheck source=tools/testing/stages.sh
. "$top/tools/testing/stages.sh"

remove_machine()
{
	rm -rf --one-file-system "$machine" "$image"
}
trap remove_machine EXIT
trap 'exit 1' INT TERM HUP
remove_machine

# in_machine COMMAND...: in namespaces of its own, which end with this script.
in_machine()
{
	# shellcheck disable=SC2016 # expanded by the inner shell
	setpriv --pdeathsig KILL unshare --mount --pid --net --fork \
		--kill-child sh -euc '
		mount --make-rprivate /
		mount --rbind /dev "$1/dev"
		mount -t proc proc "$1/proc"
		exec chroot "$@"' sh "$machine" env -i \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin \
		HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}

build_packages()
{
	"$top/tools/deb/deb.sh" "$log/deb" >"$log/deb.log" 2>&1 && return
	sed 's/^/# /' "$log/deb.log"
	return 1
}

# A copy of the tree, with our packages in its second repository, and what an
# operator has before.
make_machine()
{
	local tree
	tree=$("$vm/debian.sh" operator "$here/operator" \
		"$here/operator-hook.sh") || return 1
	cp -a --reflink=auto "$tree" "$machine" || return 1
	cp "$log"/deb/*.deb "$machine/srv/ours/"
	mkdir -p "$machine/srv/test"
	cp "$here"/*.sh "$here/links" "$machine/srv/test/"
	install "$here/agent" "$machine/usr/local/sbin/"
	cp "$here/agent.service" "$machine/etc/systemd/system/"
	in_machine sh -euc '
		(cd /srv/ours && apt-ftparchive packages . >Packages)
		rm -f /etc/apt/sources.list.d/*
		apt-get -qq update
		systemctl -q enable agent
		echo operator >/etc/hostname'
}

# apt would install these along with ours.
brings_along()
{
	local list name
	list=$(in_machine apt-get -s install vfio-live-migration-dkms)
	for name; do
		echo "$list" | grep -q "^Inst $name " && continue
		echo "# not $name"
		return 1
	done
}

prepare()
{
	in_machine apt-get -qq -y install dkms linux-headers-amd64 \
		>"$log/prepare" 2>&1
}

make_image()
{
	mke2fs -q -t ext4 -d "$machine" "$image" 6G >"$log/mke2fs" 2>&1
}

# boot KERNEL STEP: boots the machine's disk with a kernel of its own.
boot()
{
	local boot=$log/boot
	local append="root=/dev/vda rw console=ttyS0 loglevel=5 panic=-1"

	append+=" intel_iommu=on no_timer_check nohz=off highres=off"
	rm -rf "$boot"
	mkdir -p "$boot"
	debugfs -R "dump /boot/vmlinuz-$1 $boot/vmlinuz" "$image" 2>/dev/null
	debugfs -R "dump /boot/initrd.img-$1 $boot/initrd" "$image" 2>/dev/null
	"$vm/vm.sh" --log "$log/vm-$2" --memory 2560 --name operator \
		--timeout 1800 --bind "$boot" --bind "$log" --igb '' \
		--qemu -kernel --qemu "$boot/vmlinuz" \
		--qemu -initrd --qemu "$boot/initrd" \
		--qemu -append --qemu "$append" \
		--qemu -drive \
		--qemu "if=none,id=root,format=raw,cache=unsafe,file=$image" \
		--qemu -device --qemu virtio-blk-pci,drive=root,bus=pcie.0 \
		-- bash /srv/test/in-vm.sh "$2"
}

# needed TEXT COMMAND...: a test without which the others make no sense.
needed()
{
	local text=$1
	shift
	if "$@"; then
		ok "$text"
	else
		not_ok "$text"
		exit 1
	fi
}

# A step that ends badly leaves a machine that the next one has no use for.
in_vm()
{
	local status
	boot "$1" "$2"
	status=$?
	[ $status != 75 ] || exit 75
	[ $status = 0 ] && return
	not_ok "step \"$2\" ends, status $status"
	exit 1
}

needed "the packages build, and lintian finds no error" build_packages
needed "a fresh Debian 13 has them in a repository" make_machine
verdict "apt brings along what they need" \
	brings_along dkms linux-headers-amd64 driverctl vfio-mig
needed "DKMS and the kernel's headers are installed" prepare
first=$(ls "$machine/lib/modules")
second=$(cat "$machine/srv/second")
echo "$first" >"$machine/srv/first"
in_machine bash /srv/test/on-disk.sh install
# Removing the packages from the chroot leaves them on the VM's disk.
[ -z "$vms" ] || needed "the machine has a disk" make_image
in_machine bash /srv/test/on-disk.sh remove
[ -n "$vms" ] || exit 0
in_vm "$first" installed
in_vm "$first" rebooted
in_vm "$second" second
in_vm "$first" removed

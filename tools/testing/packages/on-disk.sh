#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs on the operator's machine as a chroot: installs the packages, and looks at
# what is on the disk then; no module is loaded.  Prints TAP.
# usage: on-disk.sh install|remove

# shellcheck disable=SC2086 # lists of modules
# shellcheck source=tools/testing/packages/tap.sh
. /srv/test/tap.sh
export DEBIAN_FRONTEND=noninteractive
first=$(cat /srv/first)
second=$(cat /srv/second)
newer=$(cat /srv/newer)
default=/etc/default/vfio-live-migration
source=/usr/src/vfio-live-migration-1.0

# fake KERNEL: one whose headers cannot build anything.
fake()
{
	mkdir -p "/lib/modules/$1/kernel" "/lib/modules/$1/build/include"
	printf 'all modules:\n\t@echo "error: no such kernel"\n\t@false\n' \
		>"/lib/modules/$1/build/Makefile"
}

# What a kernel's package calls when it is installed, up to the initramfs
kernel_hooks()
{
	/etc/kernel/postinst.d/dkms "$1" &&
		/etc/kernel/postinst.d/dkms-vfio-live-migration "$1"
}

# digest KERNEL: the modules of KERNEL's own package
digest()
{
	(cd "/lib/modules/$1/kernel" && find . -name '*vfio*' -type f \
		-exec sha256sum {} + | LC_ALL=C sort)
}

installation()
{
	verdict "the packages are installed" run apt install \
		vfio-live-migration-dkms vfio-mig vfio-live-migration-doc
	verdict "the end says which kernel has them" \
		said "$first uses the VFIO of"
	verdict "modprobe would load ours" \
		comes_from "$first" updates/dkms $linux $ours
	verdict "vfio-mig runs" run vfio-mig --help
	verdict "vfio-mig has its man page" \
		test -s /usr/share/man/man8/vfio-mig.8.gz
	verdict "vfio-modules has its man page" \
		test -s /usr/share/man/man8/vfio-modules.8.gz
}

pages()
{
	local html=/usr/share/doc/vfio-live-migration-doc/html
	verdict "the documentation has an index" test -s $html/index.html
	verdict "and the guide for administrators" \
		test -s $html/admin-guide/vfio-packages.html
	verdict "all links of its pages lead somewhere" /srv/test/links $html
}

# complete WORD...: what Tab offers for the last one
complete_words()
{
	# shellcheck disable=SC2016 # expanded by the inner shell
	bash -c '. /usr/share/bash-completion/bash_completion
		. /usr/share/bash-completion/completions/vfio-mig
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
		_vfio_mig && echo ${COMPREPLY[*]}' bash "$@"
}

completes()
{
	local got
	got=$(complete_words "${@:2}")
	[ "$got" = "$1" ] && return
	echo "# offered: $got"
	return 1
}

completion()
{
	verdict "completion offers all commands" completes \
		"--help $(vfio-mig --help | sed -n 's/^  \([a-z-]*\) .*/\1/p' |
			grep -v '^-' | paste -sd' ')" vfio-mig ''
	verdict "completion offers the options of a command" completes \
		"--json --help" vfio-mig inspect --
	verdict "completion offers an option of one command to no other" \
		completes "--hold --help" vfio-mig load --h
	verdict "completion offers flags" completes "p2p pre-copy" \
		vfio-mig fsm stop-copy p
}

set_flavour()
{
	sed -i "s/^FLAVOUR=.*/FLAVOUR=$1/" $default
}

# versions: the kernels that DKMS and Kbuild may be asked for, one a line
versions()
{
	printf "%s\n" 5.12 6.{0..40} 7.{0..40} 8.{0..12}
}

# of_kbuild: those that Kbuild takes
of_kbuild()
{
	local version
	for version in $(versions); do
		# It has no target, so it gets one.
		! make -s -f "$source/Kbuild" --eval 'takes: ;' src="$source" \
			VERSION="${version%.*}" PATCHLEVEL="${version#*.}" \
			takes 2>/dev/null || echo "$version"
	done
}

# of_dkms SUFFIX: those that DKMS takes, if SUFFIX ends their release
of_dkms()
{
	local version
	for version in $(versions); do
		# shellcheck disable=SC2016 # expanded by the inner shell
		kernelver=$version$1 arch=x86_64 kernel_source_dir='' bash -c '
			. "$0"
			[[ $kernelver =~ $BUILD_EXCLUSIVE_KERNEL ]]' \
			"$source/dkms.conf" && echo "$version"
	done
}

same_kernels()
{
	of_kbuild >/tmp/kbuild
	of_dkms "$1" | diff /tmp/kbuild - >/tmp/output && [ -s /tmp/kbuild ] &&
		return
	sed 's/^/# /' /tmp/output
	return 1
}

which_kernels()
{
	verdict "DKMS takes the kernels that Kbuild takes" \
		same_kernels .5+deb13-amd64
	verdict "also those that are release candidates" same_kernels -rc1
	range="$(head -n 1 /tmp/kbuild) to $(tail -n 1 /tmp/kbuild)"
	verdict "the package's description names them" eval \
		"dpkg-query -W -f '\${Description}' vfio-live-migration-dkms |
			tr -s '\n ' ' ' | grep -qF 'Linux $range)'"
}

# The last kernel that is supported, which Debian's backports have for a while
newer_kernel()
{
	local text="a kernel of the backports is installed"
	if [ -z "$newer" ]; then
		echo "ok - $text # SKIP trixie-backports has no Linux 7.3 (any more)"
		return
	fi
	verdict "$text" run apt install \
		"linux-image-$newer" "linux-headers-$newer"
	verdict "modprobe would load ours there" \
		comes_from "$newer" updates/dkms $linux $ours
	verdict "they were built for it" built_for "$newer" $linux $ours
	verdict "those of the first kernel were built for that one" \
		built_for "$first" $linux $ours
	verdict "vfio-modules reports on all kernels" run vfio-modules
	verdict "the first one has ours" said "$first uses the VFIO of"
	verdict "the kernel of the backports has, too" said "$newer uses the VFIO of"
	# shellcheck disable=SC2046 # words
	verdict "the kernel of the backports is removed" run apt purge \
		$(dpkg-query -W -f '${Package} ' "linux-*-$newer")
	verdict "and our modules for it" test ! -e "/lib/modules/$newer/updates"
	verdict "the first kernel keeps ours" \
		comes_from "$first" updates/dkms $linux $ours
}

# Neither installing the package nor a kernel may fail because of these.
kernels_without()
{
	fake 6.1.0-1-amd64
	verdict "a kernel that is too old is installed" \
		run kernel_hooks 6.1.0-1-amd64
	verdict "the output says which kernels are supported" said \
		"6.1.0-1-amd64 uses its own VFIO, without live migration: this version supports Linux $range"
	verdict "no compiler ran" eval '! grep -q "no such kernel" /tmp/output'
	rm -r /lib/modules/6.1.0-1-amd64

	fake 6.12.999-broken
	verdict "a kernel for which the build fails is installed" \
		run kernel_hooks 6.12.999-broken
	verdict "the output names the log" \
		said "the build failed, see /var/lib/dkms/vfio-live-migration/"
	verdict "the log has the compiler's message" \
		grep -q 'error: no such kernel' \
		/var/lib/dkms/vfio-live-migration/1.0/build/make.log

	mkdir -p /lib/modules/6.12.998-bare/kernel
	verdict "vfio-modules reports on a kernel without headers" \
		run vfio-modules 6.12.998-bare
	verdict "it names the package to install" \
		said "apt install linux-headers-6.12.998-bare"
	rm -r /lib/modules/6.12.998-bare
}

# With 6.12.999-broken still there.  Leaves the first kernel with our VFIO, and the
# second with its own.
flavours()
{
	set_flavour migration
	verdict "the flavour \"migration\" is chosen" \
		run dpkg-reconfigure vfio-live-migration-dkms
	verdict "the kernel's own VFIO is back" \
		comes_from "$first" kernel $linux
	verdict "with our driver and libraries for it" \
		comes_from "$first" updates/dkms $ours
	verdict "the output says so" \
		said "$first uses its own VFIO, with igbvf-vfio-pci"

	set_flavour whole
	verdict "an upgrade is installed although one build fails" \
		run apt --reinstall install vfio-live-migration-dkms
	verdict "the output names that kernel" \
		said "6.12.999-broken uses its own VFIO, without"
	verdict "the other kernel has the flavour \"whole\" again" \
		comes_from "$first" updates/dkms $linux $ours
	rm -r /lib/modules/6.12.999-broken

	set_flavour migration
	verdict "a second kernel is installed" run apt install \
		"linux-image-$second" "linux-headers-$second"
	verdict "it has our driver and libraries" \
		comes_from "$second" updates/dkms $ours
	verdict "and its own VFIO" comes_from "$second" kernel $linux
	verdict "the first kernel is unchanged" \
		comes_from "$first" updates/dkms $linux $ours
}

# As on a machine with Secure Boot, whose owner has not enrolled DKMS's key
secure_boot()
{
	local fake=/usr/local/sbin/mokutil
	# shellcheck disable=SC2016 # the script's own
	printf '%s\n' '#!/bin/sh' 'case $1 in' \
		'--sb-state) echo "SecureBoot enabled" ;;' \
		'*) echo "$2 is not enrolled"; exit 1 ;;' 'esac' >$fake
	chmod +x $fake
	verdict "with Secure Boot, vfio-modules ends" run vfio-modules "$first"
	verdict "and says how to enroll the key" \
		said "mokutil --import /var/lib/dkms/mok.pub"
	rm $fake
	verdict "the modules are signed" test -n \
		"$(modinfo -k "$first" -F signer vfio)"
}

initramfs()
{
	echo vfio-pci >>/etc/initramfs-tools/modules
	verdict "an initramfs with vfio-pci is made" \
		run update-initramfs -u -k "$first"
	verdict "it has ours" eval \
		"lsinitramfs /boot/initrd.img-$first 2>/dev/null |
			grep -q /updates/dkms/vfio-pci.ko"
	verdict "vfio-modules has nothing to say of it" eval \
		"! vfio-modules $first | grep update-initramfs"
}

removal()
{
	verdict "the package is removed" \
		run apt remove vfio-live-migration-dkms
	verdict "the end says that an initramfs still has them" \
		said "update-initramfs -u -k $first"
	verdict "modprobe would load the first kernel's own" \
		comes_from "$first" kernel $linux
	verdict "modprobe would load the second kernel's own" \
		comes_from "$second" kernel $linux
	verdict "they are what they were" test "$(digest "$first")" = \
		"$(cat /srv/before)"
	verdict "ours are gone" lacks "$first" $ours
	verdict "a kernel is installed without a word of them" \
		run kernel_hooks "$second"
	verdict "the packages are purged" run apt purge \
		vfio-live-migration-dkms vfio-mig vfio-live-migration-doc
	verdict "nothing is left behind" test -z "$(find / -xdev \
		\( -path /srv -o -path /proc -o -path /dev \) -prune -o \
		\( -name '*vfio-live-migration*' -o -name 'vfio-mig*' -o \
		-name 'vfio-modules*' \) -print)"
}

case $1 in
install)
	digest "$first" >/srv/before
	installation
	completion
	pages
	which_kernels
	newer_kernel
	kernels_without
	flavours
	secure_boot
	;;
remove)
	initramfs
	removal
	;;
esac

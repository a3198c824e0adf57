#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The steps on a host of the test with libvirt.  Runs in the host VM, after the
# demo's host.sh has set up the network; libvirt.sh calls it for each step.

set -eu

usage()
{
	cat <<-END
	usage: host.sh prepare ADDRESS  start libvirt, which listens at ADDRESS of
	                                the network between the hosts, and make
	                                the VM's files
	       host.sh define           define the VM
	       host.sh commands FILE    run these commands as the page's reader
	                                does; \$pf, \$mac, \$vm and \$destination are
	                                set
	       host.sh virsh ARG...     run virsh
	       host.sh driver           print which driver the VF is bound to
	       host.sh arrived N JOBINFO
	                                the VM runs here, in QEMU number N: note
	                                its process, write what libvirt tells of
	                                the migration to JOBINFO
	       host.sh left N           wait until QEMU number N has ended, and keep
	                                what it left
	       host.sh migrate FILE     run the commands, which migrate the VM, and
	                                raise the downtime limit if the migration
	                                does not end
	       host.sh state            print the VM's state, or "none"
	       host.sh mark | since NAME
	                                begin, and end, what "refused" reports: the
	                                kernel log and QEMU's log in between are
	                                written to /out/kernel-NAME, /out/qemu-NAME
	       host.sh obstruct NAME | clear NAME
	                                make this host one that can't take the VM,
	                                and undo that: see the functions
	END
}

here=$(dirname "$(realpath "$0")")
demo=$(dirname "$here")/demo
out=/out
run=/run/libvirt-test
images=/var/lib/libvirt/images
vf=0000:01:10.0
# The first 82576
pf=$(basename "$(echo /sys/bus/pci/devices/0000:01:00.0/net/*)")
vm=vm1
# shellcheck disable=SC2034 # for the page's commands
case $(hostname) in
A) destination=qemu+tcp://B/system ;;
*) destination=qemu+tcp://A/system ;;
esac
updates=/lib/modules/$(uname -r)/updates
# See bed.sh
mac='' memory='' guest=''
# shellcheck source=/dev/null
. $out/settings

# Without keepalive messages: on a slow machine, libvirt may be late to answer.
virsh()
{
	command virsh -k 0 "$@"
}

# domain NAME: prints the XML of a VM
domain()
{
	sed -e "s|@NAME@|$1|; s|@MEMORY@|$memory|; s|@IMAGES@|$images|" \
		-e "s|@RUN@|$run|" "$here/domain.xml"
}

make_images()
{
	local program programs=()

	for program in "$out"/*; do
		[ ! -f "$program" ] || [ ! -x "$program" ] ||
			programs+=("$program")
	done
	mkdir -p $images
	cp /run/vm/ctl/nested.vmlinuz $images/vmlinuz
	nested-initrd $images/initrd "$guest" "${programs[@]}"
}

# configure ADDRESS: the network between the hosts needs no authentication.
configure()
{
	printf '10.2.0.1 A\n10.2.0.2 B\n' >>/etc/hosts
	cat >/etc/libvirt/libvirtd.conf <<-END
	listen_tls = 0
	listen_tcp = 1
	listen_addr = "$1"
	auth_tcp = "none"
	keepalive_interval = -1
	log_outputs = "2:file:$out/libvirtd.log"
	END
	echo 'keepalive_interval = -1' >>/etc/libvirt/qemu.conf
}

# Makes the nodes of modules that are loaded when somebody opens their node, among
# them /dev/vfio/vfio, without which libvirt takes VFIO for missing.
static_nodes()
{
	local type path mode number

	kmod static-nodes --format=tmpfiles |
		while read -r type path mode _ _ _ number; do
			[ "$type" = "c!" ] && [ ! -e "$path" ] || continue
			mkdir -p "$(dirname "$path")"
			mknod -m "$mode" "$path" c "${number%:*}" "${number#*:}"
		done
}

# Starts what systemd starts on an operator's host, and does what udev and systemd
# do with nodes.
prepare()
{
	modprobe igbvf
	static_nodes
	chmod 666 /dev/vfio/vfio
	chgrp kvm /dev/kvm
	chmod 660 /dev/kvm
	mkdir -p $run
	mkdir -m 1777 $run/traces
	configure "$1"
	virtlogd --daemon
	libvirtd --daemon --listen
	make_images
	# libvirt asks QEMU what it can do.
	virsh domcapabilities --virttype kvm >$out/domcapabilities
}

commands()
{
	(
		cd $run
		# shellcheck source=/dev/null
		. "$1"
	)
}

# Doubles the downtime limit after each ten passes that did not get below it, as
# the demo does.
converge()
{
	local limit=300 raise_at=10 pass

	while sleep 2; do
		pass=$(virsh domjobinfo $vm --rawstats 2>/dev/null |
			sed -n 's/^memory_iteration: //p')
		[ "${pass:-0}" -gt $raise_at ] || continue
		limit=$((limit * 2))
		raise_at=$((raise_at + 10))
		virsh migrate-setmaxdowntime $vm $limit || continue
		echo "migrate limit to $limit pass $pass"
	done
}

migrate()
{
	local status=0 converge

	echo "migrate begin $(date +%s.%6N) limit 300"
	converge 2>/dev/null &
	converge=$!
	commands "$1" || status=$?
	kill $converge
	wait $converge || true
	return $status
}

arrived()
{
	cp /run/libvirt/qemu/$vm.pid $run/pid-"$1"
	# A VM that was started here has no migration to tell of.
	virsh domjobinfo $vm --completed --rawstats >"$2" || true
}

# virtlogd writes the VM's output to the file, and may be late.
output_complete()
{
	local fd

	for fd in /proc/"$(pidof virtlogd)"/fd/*; do
		[ "$(readlink "$fd")" != $run/$vm.output ] || return 1
	done
}

left()
{
	local pid

	pid=$(cat $run/pid-"$1")
	tail --pid="$pid" -f /dev/null
	until output_complete; do
		sleep 0.2
	done
	cp $run/traces/"$pid" $out/trace-"$1"
	mv $run/$vm.output $out/vm-"$1".out
	"$demo/kernel-use" >>$out/held
}

driver()
{
	basename "$(readlink /sys/bus/pci/devices/$vf/driver || echo none)"
}

state()
{
	local now

	# A virsh that fails prints an empty line.
	now=$(virsh domstate $vm 2>/dev/null) || now=none
	echo "$now"
}

qemu_log=/var/log/libvirt/qemu/$vm.log

mark()
{
	dmesg --notime | wc -l >$run/kernel-lines
	cat $qemu_log 2>/dev/null | wc -l >$run/qemu-lines
}

since()
{
	dmesg --notime | tail -n "+$(($(cat $run/kernel-lines) + 1))" \
		>$out/kernel-"$1"
	cat $qemu_log 2>/dev/null | tail -n "+$(($(cat $run/qemu-lines) + 1))" \
		>$out/qemu-"$1"
}

# Another VM has the VF.
obstruct_in_use_by_vm()
{
	domain other >$run/other.xml
	cat >$run/other-vf.xml <<-END
	<hostdev mode='subsystem' type='pci' managed='yes'>
	  <source>
	    <address domain='0x0000' bus='0x01' slot='0x10' function='0x0'/>
	  </source>
	</hostdev>
	END
	sed -i "/<devices>/r $run/other-vf.xml" $run/other.xml
	virsh create --paused $run/other.xml
}

clear_in_use_by_vm()
{
	virsh destroy other
}

# Another process has opened the VF's group.
obstruct_in_use()
{
	modprobe igbvf-vfio-pci
	bind-driver igbvf-vfio-pci $vf
	sleep infinity 0<>"/dev/vfio/$(basename \
		"$(readlink /sys/bus/pci/devices/$vf/iommu_group)")" \
		>/dev/null 2>&1 &
	echo $! >$run/holder
}

clear_in_use()
{
	kill "$(cat $run/holder)"
	tail --pid="$(cat $run/holder)" -f /dev/null
	bind-driver '' $vf
}

# The VF has another MAC address.
obstruct_other_mac()
{
	ip link set "$pf" vf 0 mac 52:54:00:82:57:99
}

clear_other_mac()
{
	ip link set "$pf" vf 0 mac "$mac"
}

# The PF's interface is down.
obstruct_pf_down()
{
	ip link set "$pf" down
}

clear_pf_down()
{
	ip link set "$pf" up
}

# igbvf-vfio-pci is not installed: libvirt looks for it in modules.alias.
obstruct_no_driver()
{
	sed -i.keep '/ igbvf_vfio_pci$/d' "$(dirname "$updates")/modules.alias"
}

clear_no_driver()
{
	mv "$(dirname "$updates")"/modules.alias{.keep,}
}

# An older igbvf-vfio-pci is installed.
obstruct_older_driver()
{
	modprobe -r igbvf-vfio-pci
	cp --backup=simple --suffix=.keep $out/older.ko \
		"$updates/igbvf-vfio-pci.ko"
}

clear_older_driver()
{
	modprobe -r igbvf-vfio-pci
	mv "$updates"/igbvf-vfio-pci.ko{.keep,}
}

case ${1-} in
--help) usage ;;
prepare) prepare "$2" ;;
define)
	domain $vm >$run/$vm.xml
	virsh define $run/$vm.xml
	;;
commands) commands "$2" ;;
virsh) virsh "${@:2}" ;;
driver) driver ;;
arrived) arrived "$2" "$3" ;;
left) left "$2" ;;
migrate) migrate "$2" ;;
state) state ;;
mark) mark ;;
since) since "$2" ;;
obstruct | clear) "$1_${2//-/_}" ;;
*) usage >&2; exit 2 ;;
esac

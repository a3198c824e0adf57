#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The steps on a host of the demo, which an administrator would do on a real
# one.  Runs in the host VM; demo.sh calls it for each step.

set -eu

usage()
{
	cat <<-END
	usage: host.sh setup LAN_ADDRESS HOST_ADDRESS
	       host.sh start N TRACKING [OPTION]...
	                                      start the VM as QEMU number N.
	                                      TRACKING: device, container (see
	                                      demo.sh), trap: by the device, with
	                                      all registers trapped, or none:
	                                      without the VFs.  OPTION:
	           --incoming                 wait for the VM
	           --defer                    wait for the command migrate-incoming
	           --cpr SOCKET               wait for the VM of another QEMU on this
	                                      host (mode cpr-transfer)
	           --share                    the VM's memory can be shared with
	                                      another QEMU
	           --props PROPERTIES         more properties of the VFs
	           --qemu ARG                 one more argument for QEMU
	       host.sh qmp N ARG...           run qmp (see there) on QEMU N
	       host.sh capabilities N [NAME]...
	                                      switch these of the capabilities that
	                                      the demo and ../ways use on, and the
	                                      others off
	       host.sh cpr-exec N FILE        QEMU N replaces itself by a new one, with
	                                      the VM's state in FILE
	       host.sh nowhere                print an address that never answers
	       host.sh traced N EVENT         print how often QEMU N traced EVENT
	       host.sh migrate N ADDRESS MS [STATE]
	                                      migrate the VM to the host at ADDRESS,
	                                      with a downtime limit of MS; stop
	                                      QEMU when its device is in STATE
	                                      (stop-copy, ...)
	       host.sh log N | nolog N        begin, and cancel, a migration that
	                                      leads nowhere and never ends, so that
	                                      the device logs
	       host.sh worker                 print for how many ns the threads that
	                                      log have run, and the uptime (s)
	       host.sh wait-running N         wait until the VM runs in QEMU N
	       host.sh wait-failed N          wait until its migration has failed
	       host.sh end N                  end QEMU N, which the VM has left
	       host.sh freeze N | thaw N      stop QEMU N, and continue it
	       host.sh kill N                 kill QEMU N
	       host.sh give-up N              kill QEMU N, unless it has ended
	       host.sh kill-all               kill all QEMUs
	       host.sh lose                   make the VF lose received frames for
	                                      half a second
	       host.sh wait-end N             wait until QEMU N has ended
	       host.sh wait N                 wait until the VM has powered off
	       host.sh seen                   copy the trace to /out/seen
	END
}

here=$(dirname "$(realpath "$0")")
run=/run/demo
out=/out
port=4444
mkdir -p $run
# See bed.sh
driver='' vfs='' mac='' memory='' machine='' ports='' hold='' fault='' guest=''
# shellcheck source=/dev/null
. $out/settings

# Prints the PFs, which are all 82576s, one on a line.
all_pfs()
{
	find-pci 8086:10c9
}

# mac_of K: the MAC address of the VM's Kth network card
mac_of()
{
	printf '%s:%02x' "${mac%:*}" $((0x${mac##*:} + $1))
}

# interface BDF: prints the name of that device's network interface.
interface()
{
	basename "$(echo /sys/bus/pci/devices/"$1"/net/*)"
}

# make_vf PF K N: sets up VF number N of that PF as the VM's Kth card.
make_vf()
{
	local pf=$1 k=$2 n=$3 vf

	vf=$(basename "$(readlink "/sys/bus/pci/devices/$pf/virtfn$n")")
	ip link set "$(interface "$pf")" vf "$n" mac "$(mac_of "$k")"
	bind-driver "$driver" "$vf"
	echo "$vf" >>$run/vfs
	echo "setup $(hostname): VF $vf, mac $(mac_of "$k"), driver" \
		"$(modinfo -n "$driver"), $(modinfo -n vfio)"
}

# Makes the VFs, the same number on each PF.
setup_vfs()
{
	local pf n k=0 each

	each=$((vfs / $(all_pfs | wc -l)))
	modprobe "$driver"
	: >$run/vfs
	for pf in $(all_pfs); do
		make-vfs "$pf" $each >/dev/null
		for ((n = 0; n < each; n++)); do
			make_vf "$pf" $k $n
			k=$((k + 1))
		done
	done
}

setup()
{
	local lan=$1 host=$2 nic

	# Both hosts start a QEMU at the same time: read these files before.
	cat "$(command -v qemu-system-x86_64)" /run/vm/ctl/nested.vmlinuz \
		>/dev/null 2>&1 &
	echo "setup $(hostname): $(qemu-system-x86_64 --version | head -n 1)"

	sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
		net.ipv6.conf.default.disable_ipv6=1
	modprobe -a kvm-amd kvm-intel 2>/dev/null || true
	# The network between the hosts is on the virtio-net card.
	nic=$(basename "$(echo /sys/bus/virtio/devices/*/net/*)")
	ip addr add "$host/24" dev "$nic"
	ip link set "$nic" up

	nic=$(interface "$(all_pfs | head -n 1)")
	if [ "$driver" = none ]; then
		bridge "$nic"
		nic=br0
		echo "setup $(hostname): a virtio-net card, mac $mac"
	elif [ -n "$driver" ]; then
		setup_vfs
	fi
	ip addr add "$lan/24" dev "$nic"
	"$here/watch" start
	"$here/clock" serve >/dev/null 2>&1 &
}

# bridge INTERFACE: for a VM without a VF, joins its virtio-net card and the PF.
bridge()
{
	modprobe -a tun bridge
	ip link add br0 type bridge
	ip link set "$1" master br0
	ip tuntap add tap0 mode tap
	ip link set tap0 master br0
	for link in "$1" tap0 br0; do
		ip link set "$link" up
	done
}

# devices TRACKING [PROPERTIES]: sets $devices to the VM's devices, as arguments of
# nested.
devices()
{
	local vf k=0 args=migration-events=on

	if [ "$driver" = none ]; then
		devices=(--qemu -netdev --qemu
			"tap,id=tap,ifname=tap0,script=no,downscript=no"
			--device "virtio-net-pci,netdev=tap,mac=$mac")
		return
	fi
	devices=()
	# "device" needs no option: it tests QEMU's defaults.
	case $1 in
	container) args+=,enable-migration=on,x-device-dirty-page-tracking=off ;;
	trap) args+=,x-no-mmap=on ;;
	esac
	args+=${2:+,$2}
	while read -r vf; do
		[ -z "$ports" ] || devices+=(
			--device "pcie-root-port,id=port$k,chassis=$k,slot=$k")
		[ "$1" = none ] || devices+=(--device
			"vfio-pci,host=$vf,id=vf$k${ports:+,bus=port$k},$args")
		k=$((k + 1))
	done <$run/vfs
}

start()
{
	local n=$1 tracking=$2 devices programs=() program status
	local more=() props='' cpr='' share=off backend

	shift 2
	while [ $# -gt 0 ]; do
		case $1 in
		--incoming) more+=(--incoming "tcp:0:$port"); shift; continue ;;
		--defer) more+=(--incoming defer); shift; continue ;;
		--share)
			share=on
			more+=(--qemu -machine --qemu aux-ram-share=on)
			shift
			continue
			;;
		--cpr)
			cpr=$2
			more+=(--incoming "tcp:0:$port" --incoming
				"{ \"channel-type\": \"cpr\", \"addr\": {
				\"transport\": \"socket\", \"type\": \"unix\",
				\"path\": \"$cpr\" } }")
			;;
		--props) props=$2 ;;
		--qemu) more+=(--qemu "$2") ;;
		*) usage >&2; exit 2 ;;
		esac
		shift 2
	done
	# The 82576 that the host's QEMU emulates loses each frame that the VM sends
	# from two pages which are not neighbours in the host's memory.  So the VM
	# has huge pages, which bed.sh reserves.
	backend=memory-backend-memfd,id=pc.ram,size=${memory}M
	backend+=,hugetlb=on,hugetlbsize=2M,share=$share
	# A QEMU with this number may have been killed before.
	rm -f $run/qmp-"$n" $run/ended-"$n"
	devices "$tracking" "$props"
	for program in "$out"/*; do
		[ ! -f "$program" ] || [ ! -x "$program" ] ||
			programs+=(--add "$program")
	done
	# wait_end() waits for this lock, which is held as long as QEMU runs.
	exec 8>$run/alive-"$n"
	flock 8
	# init_on_free: free memory is zero, and QEMU sends no zero pages.
	# iomem: "counters" may map the registers that igbvf uses.
	(
		status=0
		[ "$fault" != hide-log ] || export LD_PRELOAD=$out/hide_log
		nested --name "vm-$n" --memory "$memory" --qmp $run/qmp-"$n" \
			--machine "$machine" \
			--append "init_on_free=1 iomem=relaxed${hold:+ vm.hold}" \
			--qemu -object --qemu "$backend" \
			--qemu -machine --qemu memory-backend=pc.ram \
			"${devices[@]}" \
			--qemu -msg --qemu timestamp=on \
			--qemu -D --qemu $run/trace-"$n" \
			--qemu -trace --qemu 'vfio_migration*' \
			--qemu -trace --qemu 'vfio_save*' \
			--qemu -trace --qemu 'vfio_load*' \
			--qemu -trace --qemu 'vfio_device_dirty_tracking_start' \
			--qemu -trace --qemu 'vmstate_downtime*' \
			--qemu -trace --qemu 'migration_*' \
			--qemu -trace --qemu 'runstate_set' \
			"${programs[@]}" "${more[@]}" "$guest" \
			>$out/vm-"$n".out 2>&1 8>&- || status=$?
		cp $run/trace-"$n" $out/
		rm $run/trace-"$n"
		echo $status >$run/ended-"$n"
	) >/dev/null 2>&1 &
	exec 8>&-
	# This QEMU has no monitor until the other one sends the VM.
	[ -z "$cpr" ] || return 0
	# switchover-ack: the source stops the VM only after the destination has
	# loaded the device's initial data.  Both sides need the setting.
	capabilities "$n" return-path switchover-ack || {
		cat $out/vm-"$n".out
		exit 1
	}
	"$here/qmp" $run/qmp-"$n" query-status
}

# capabilities N [NAME]...: switches these on, and the others off.
capabilities()
{
	local n=$1 name state list=
	shift

	for name in return-path switchover-ack multifd mapped-ram \
		pause-before-switchover; do
		state=false
		[[ " $* " != *" $name "* ]] || state=true
		list+="${list:+, }{ \"capability\": \"$name\", \"state\": $state }"
	done
	"$here/qmp" $run/qmp-"$n" migrate-set-capabilities \
		"{ \"capabilities\": [ $list ] }" >/dev/null
}

qemu_of()
{
	pgrep -f "^qemu-system-x86_64 -name vm-$1 "
}

signal()
{
	kill "-$1" "$(qemu_of "$2")"
}

# Makes the device log without moving the VM: a migration into a pipe, which
# needs no answer of a destination.  At 4 KiB a second it goes on for hours.
log()
{
	capabilities "$1"
	"$here/qmp" $run/qmp-"$1" --log "exec:cat >/dev/null"
}

# The first number of schedstat is the run time in nanoseconds.
worker()
{
	local thread total=0 ran

	for thread in $(pgrep '^vfio-log'); do
		read -r ran _ <"/proc/$thread/schedstat" || continue
		total=$((total + ran))
	done
	read -r up _ </proc/uptime
	echo "worker $total uptime $up"
}

wait_end()
{
	flock -s $run/alive-"$1" true
}

# A QEMU that was just started may not be there yet.
give_up()
{
	until signal KILL "$1" 2>/dev/null || flock -sn $run/alive-"$1" true; do
		sleep 0.2
	done
	wait_end "$1"
}

kill_all()
{
	local alive

	for alive in "$run"/alive-*; do
		[ ! -e "$alive" ] || give_up "${alive##*-}"
	done
}

# Clears ENABLE, bit 25 of RXDCTL of queue 0 (82576 datasheet, 8.10.9), without
# the knowledge of the VF's driver.  Needs a kernel that was booted with
# iomem=relaxed.
lose()
{
	local vf bar rxdctl value

	read -r vf <$run/vfs
	read -r bar _ </sys/bus/pci/devices/"$vf"/resource
	rxdctl=$((bar + 0x2828))
	value=$(busybox devmem $rxdctl 32)
	[ $((value & 0x02000000)) != 0 ] || exit 1
	busybox devmem $rxdctl 32 $((value & ~0x02000000))
	sleep 0.5
	busybox devmem $rxdctl 32 $((value))
}

# The parameters with which QEMU, which is process PID, replaces itself by one with
# the same arguments that loads FILE
exec_parameters()
{
	perl -MJSON::PP -0 -e '
		my $file = pop;
		chomp(my @args = <>);
		for (reverse 0 .. $#args) {
			splice @args, $_, 2 if $args[$_] eq "-incoming";
		}
		print encode_json({ mode => "cpr-exec", "cpr-exec-command" =>
			[@args, "-incoming", "file:$file"] });
		' "/proc/$1/cmdline" "$2"
}

# alive PID: does QEMU run?  Its parent may not have waited for it yet.
alive()
{
	local state

	state=$(ps -o stat= -p "$1") && [[ $state != Z* ]] && return
	echo "QEMU has ended"
	return 1
}

# qmp has a limit, after which it is called again: it would wait for a QEMU that has
# ended, as nested does not end before the pipe is closed.
cpr_exec()
{
	local n=$1 file=$2 pid output said

	pid=$(qemu_of "$n")
	# Somebody has to keep this pipe open while no QEMU does.
	output=$(tr '\0' '\n' <"/proc/$pid/cmdline" |
		sed -n 's/^file,id=out,path=//p')
	exec 9>"$output"
	"$here/qmp" $run/qmp-"$n" migrate-set-parameters \
		"$(exec_parameters "$pid" "$file")"
	"$here/qmp" $run/qmp-"$n" --begin "file:$file" 300
	until grep -qsz -- "^file:$file" "/proc/$pid/cmdline"; do
		alive "$pid" || return
		said=$(timeout 60 "$here/qmp" $run/qmp-"$n" \
			--wait-for completed 2>&1) ||
			[[ $said != *"qmp: migration "* ]] || {
			echo "$said"
			return 1
		}
	done
	until timeout 60 "$here/qmp" $run/qmp-"$n" --wait-running; do
		alive "$pid" || return
	done
}

# An address on the network between the hosts to which frames can be sent, but which
# nobody has.
nowhere()
{
	local nic
	nic=$(basename "$(echo /sys/bus/virtio/devices/*/net/*)")
	ip neigh replace 10.2.0.99 lladdr 02:00:00:00:00:99 dev "$nic"
	echo 10.2.0.99
}

case ${1-} in
--help) usage ;;
setup) setup "$2" "$3" ;;
start) start "${@:2}" ;;
qmp) "$here/qmp" $run/qmp-"$2" "${@:3}" ;;
capabilities) capabilities "${@:2}" ;;
cpr-exec) cpr_exec "$2" "$3" ;;
nowhere) nowhere ;;
traced) grep -c "$3" $run/trace-"$2" || : ;;
migrate)
	"$here/qmp" $run/qmp-"$2" --migrate "tcp:$3:$port" "$4" \
		${5:+"$5" "$(qemu_of "$2")"}
	;;
log) log "$2" ;;
nolog) "$here/qmp" $run/qmp-"$2" --cancel ;;
worker) worker ;;
wait-running) "$here/qmp" $run/qmp-"$2" --wait-running ;;
wait-failed) "$here/qmp" $run/qmp-"$2" --wait-failed ;;
freeze) signal STOP "$2" ;;
thaw) signal CONT "$2" ;;
kill)
	signal KILL "$2"
	wait_end "$2"
	;;
give-up) give_up "$2" ;;
kill-all) kill_all ;;
lose) lose ;;
wait-end) wait_end "$2" ;;
end)
	"$here/qmp" $run/qmp-"$2" quit >/dev/null
	wait_end "$2"
	rm $run/ended-"$2"
	"$here/kernel-use" >>$out/held
	;;
wait)
	wait_end "$2"
	exit "$(cat $run/ended-"$2")"
	;;
seen) "$here/watch" show $out/seen ;;
*) usage >&2; exit 2 ;;
esac

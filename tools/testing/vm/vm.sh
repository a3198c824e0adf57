#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Boots a host VM from the hermetic root, runs one command in it and exits with
# the command's status.  Watches the VM: time limit, heartbeat, kernel
# complaints.  The VM never outlives this script.  What the command does with
# the devices is no matter of this script.

set -u

usage()
{
	cat <<-END
	usage: vm.sh [OPTION]... -- COMMAND [ARG]...

	Boots a VM (q35, intel-iommu, software emulation) from the Debian root
	(VFIO_ROOT, else root.sh's), runs COMMAND in it as root, with its
	stdout and stderr passed on to those of vm.sh.  The VM has the root's
	files read-only below a tmpfs: what COMMAND writes is lost, except in
	shares.

	Devices; each sits behind a root port of its own, in the order given,
	so the first is 0000:01:00.0, the second 0000:02:00.0, ...
	  --igb NETDEV     an igb PF on this netdev, given as to QEMU's -netdev
	                   without id=, e.g. hubport,hubid=0 or
	                   stream,addr.type=unix,addr.path=/DIR/sock ('' for a
	                   port with no peer)
	  --nic MODEL NETDEV   another network card: e1000e, virtio-net-pci, ...
	  --nvme           an NVMe controller with a 64 MiB disk
	  --device ARGS    any -device (ARGS with bus= stay where they say)
	  --no-coldplug    load no drivers for the devices found at boot
	  --kernel DIR     boot this kernel, not the root's: DIR/vmlinuz, with its
	                   modules in DIR/usr/lib/modules, which become a layer
	                   (kernel/debug-kernel.sh makes such a DIR)
	Files:
	  --layer DIR      lay DIR over the root, read-only (layer.sh makes one
	                   with modules); each layer covers those before it
	  --share DIR[:IN] DIR of this machine, writable in the VM as IN
	                   (default: /out)
	  --bind DIR       let QEMU see DIR under its own name (sockets, images)
	  --serve DIR      pipes in DIR for on.sh, which sends commands to
	                   guest/serve in the VM (see channels.sh)
	  --log DIR        console, dmesg, heartbeat, ... go here (default: a
	                   temporary DIR, kept and named if the run fails).
	                   In the VM it is /run/vm/log; *.console files
	                   that appear there are watched as well
	Machine:
	  --memory MIB     default 2048; at 2816 and above igb VFs do not work
	  --cpus N         default 2
	  --accel ARGS     default tcg,thread=multi.  thread=single is slower, as
	                   the CPUs take turns, but with it QEMU 10.0 does not
	                   crash when BARs and DMA mappings change under load
	  --append ARGS    more kernel command line
	  --name NAME      host name, default host; say it before --igb, --nic
	  --qemu ARG       one more argument for QEMU (repeat)
	Verdict:
	  --timeout S      end the VM if COMMAND has printed nothing for S seconds
	                   (default 600), nor written a line "progress TEXT" to
	                   /run/vm/events (the last TEXT is kept in the file
	                   progress of --log).  Time in which other work of this
	                   machine kept the VM from running does not count
	  --status FILE    also write the exit status to FILE, as the last act
	  --allow REGEX    kernel console lines that are no complaint
	  --forbid REGEX   kernel console lines that are complaints as well, e.g.
	                   'DMAR:.*fault'
	  --leaks          look for leaked memory when COMMAND has ended (needs
	                   kmemleak); memory that vfio leaked is a complaint

	Exit status: COMMAND's, or
	  75   QEMU died: COMMAND could not be judged
	  121  wrong usage or the VM could not be started
	  122  a kernel complained (WARN, oops, lockdep, ...): lines on stderr
	  124  COMMAND made no progress (--timeout)
	  125  the VM ended without a result, or its heartbeat stopped
	In the VM, /run/vm/tools is this directory, and its guest/ is in PATH
	(nested, nested-initrd, find-pci, make-vfs, bind-driver, serve: see their
	--help).
	END
}

die()
{
	echo "vm.sh: $*" >&2
	exit 121
}

here=$(dirname "$(realpath "$0")")

binds=()
layers=()
shares=()
devices=()
check=()
qemu_args=()
slot=0
nvmes=0
memory=2048
cpus=2
accel=tcg,thread=multi
append=
name=host
timeout=600
status_file=
serve=
log=
coldplug=1
kernel=
leaks=

# behind_port DEVICE: adds DEVICE, behind a root port of its own.
behind_port()
{
	slot=$((slot + 1))
	devices+=(-device "pcie-root-port,id=rp$slot,slot=$slot,chassis=$slot")
	devices+=(-device "$1,bus=rp$slot,addr=0")
}

# nic MODEL NETDEV: its MAC address is made from the VM's name.
nic()
{
	local mac
	mac=$(echo "$name" | md5sum | sed 's/^\(..\)\(..\).*/52:54:00:\1:\2/')
	devices+=(-netdev "${2:-hubport,hubid=10$slot},id=net$slot")
	behind_port "$1,netdev=net$slot,mac=$mac:$(printf %02x $((slot + 1)))"
}

while [ $# -gt 0 ]; do
	case $1 in
	--help) usage; exit 0 ;;
	--no-coldplug) coldplug=; shift; continue ;;
	--leaks) leaks=1; shift; continue ;;
	--nvme)
		nvmes=$((nvmes + 1))
		devices+=(-drive "if=none,id=disk$nvmes,format=raw,file=@RUN@/disk$nvmes")
		behind_port "nvme,serial=disk$nvmes,drive=disk$nvmes"
		shift
		continue
		;;
	--) shift; break ;;
	esac
	[ $# -gt 1 ] || die "$1: option unknown or without its value; see --help"
	case $1 in
	--igb) nic igb "$2" ;;
	--nic)
		[ $# -gt 2 ] || die "--nic MODEL NETDEV"
		nic "$2" "$3"
		shift
		;;
	--device)
		case $2 in
		*bus=*) devices+=(-device "$2") ;;
		*) behind_port "$2" ;;
		esac
		;;
	--kernel) kernel=$(realpath -e "$2") || die "--kernel $2" ;;
	--layer) layers+=("$(realpath -e "$2")") || die "--layer $2" ;;
	--share) shares+=("$2") ;;
	--serve) serve=$2 ;;
	--bind) binds+=(--bind "$(realpath -e "$2")") || die "--bind $2" ;;
	--log) log=$2 ;;
	--memory) memory=$2 ;;
	--cpus) cpus=$2 ;;
	--accel) accel=$2 ;;
	--append) append+=" $2" ;;
	--name) name=$2 ;;
	--qemu) qemu_args+=("$2") ;;
	--timeout) timeout=$2 ;;
	--status) status_file=$2 ;;
	--allow | --forbid) check+=("$1" "$2") ;;
	*) die "$1: unknown option; see --help" ;;
	esac
	shift 2
done
[ $# -gt 0 ] || die "no command; see --help"

root=$(realpath "${VFIO_ROOT:-$("$here/root.sh")}") || die "no root"
export VFIO_ROOT=$root
# The kernel's modules lie below those that are given for it.
[ -z "$kernel" ] || layers=("$kernel" ${layers[@]+"${layers[@]}"})
initrd=$("$here/initramfs.sh" host ${kernel:+"$kernel"}) || die "no initramfs"
nested=$("$here/initramfs.sh" nested) || die "no initramfs"

qemu=
run=
keep_log=1
if [ -z "$log" ]; then
	keep_log=
	log=$(mktemp -d "${TMPDIR:-/tmp}/vm-log.XXXXXX")
fi
mkdir -p "$log"
log=$(realpath "$log")

# However this script ends, QEMU ends first.
# shellcheck disable=SC2317 # the trap calls it
cleanup()
{
	local status=$?
	trap '' INT TERM HUP
	if [ -n "$qemu" ]; then
		kill -KILL "$qemu"
		wait "$qemu"
	fi 2>/dev/null
	[ -z "$run" ] || rm -rf "$run"
	[ -z "$status_file" ] || echo "$status" >"$status_file"
	[ -z "$serve" ] || "$here/channels.sh" end "$serve"
	if [ "$status" = 0 ] && [ -z "$keep_log" ]; then
		rm -rf "$log"
	elif [ -z "$keep_log" ]; then
		echo "vm.sh: $name: logs are in $log" >&2
	fi
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

run=$(mktemp -d "${TMPDIR:-/tmp}/vm.XXXXXX")
rm -f "$log"/*console "$log"/heartbeat "$log"/dmesg
echo "$name" >"$run/name"
echo "log /run/vm/log" >"$run/shares"
[ -z "$coldplug" ] || : >"$run/coldplug"
[ -z "$leaks" ] || : >"$run/leaks"
printf '%q ' "$@" >"$run/command"
# The nested VM's kernel is the root's, even if --kernel replaces /vmlinuz in
# the VM.
cp "$nested" "$run/nested.initramfs"
cp "$(realpath "$root/vmlinuz")" "$run/nested.vmlinuz"
for ((i = 1; i <= nvmes; i++)); do
	truncate -s 64M "$run/disk$i"
done
# If our stdout and stderr are the same file, the VM merges them, so that lines
# keep their order.
mkfifo "$run/out" "$run/err" "$run/events"
[ ! /proc/self/fd/1 -ef /proc/self/fd/2 ] || : >"$run/merge"
if [ -n "$serve" ]; then
	serve=$(realpath -e "$serve") || die "--serve: no such directory"
	# The caller has made them if it does not wait for this script.
	[ -p "$serve/channel0.in" ] || "$here/channels.sh" make "$serve"
fi

# no_timer_check: on a busy machine the check at boot panics.  nohz, highres:
# with several CPUs and without these, one CPU's timer interrupt stopped for
# good now and then.
cmdline="console=ttyS0 loglevel=5 panic=-1 intel_iommu=on no_timer_check"
[ "$cpus" = 1 ] || cmdline+=" nohz=off highres=off"
cmdline+=" vm.layers=${#layers[@]}$append"

args=(
	-name "$name" -nodefaults -display none -no-reboot
	-accel "$accel" -cpu max -smp "$cpus" -m "${memory}M"
	-M "q35,kernel-irqchip=split"
	-device "intel-iommu,intremap=on,caching-mode=on"
	-kernel "$run/vmlinuz" -initrd "$initrd"
	-append "$cmdline"
	-chardev "file,id=console,path=$log/console" -serial chardev:console
	-chardev "file,id=events,path=$run/events,logfile=$log/heartbeat"
	-serial chardev:events
	-device "virtio-serial-pci,bus=pcie.0"
	-chardev "file,id=out,path=$run/out"
	-device "virtserialport,chardev=out,name=out"
	-chardev "file,id=err,path=$run/err"
	-device "virtserialport,chardev=err,name=err"
)

# export9p DIR TAG OPTIONS: DIR as a 9p share
export9p()
{
	args+=(-fsdev "local,id=$2,path=$1,security_model=none,multidevs=remap$3")
	args+=(-device "virtio-9p-pci,fsdev=$2,mount_tag=$2,bus=pcie.0")
	binds+=(--bind "$1")
}

export9p "$root" root ,readonly=on
export9p "$here" tools ,readonly=on
export9p "$run" ctl ''
export9p "$log" log ''
# QEMU runs in the root, and sees only those paths of this machine that are
# bound.
cp "$(realpath "${kernel:-$root}/vmlinuz")" "$run/vmlinuz"
binds+=(--bind "$(dirname "$initrd")")
for i in "${!layers[@]}"; do
	export9p "${layers[i]}" "layer$i" ,readonly=on
done
for i in "${!shares[@]}"; do
	dir=$(realpath -e "${shares[i]%%:*}") || die "--share ${shares[i]}"
	in=/out
	case ${shares[i]} in
	*:*) in=${shares[i]#*:} ;;
	esac
	echo "share$i $in" >>"$run/shares"
	export9p "$dir" "share$i" ''
done
[ -e "$run/shares" ] || : >"$run/shares"
if [ -n "$serve" ]; then
	binds+=(--bind "$serve")
	for channel in "$serve"/channel*.in; do
		channel=${channel%.in}
		args+=(-chardev "pipe,id=${channel##*/},path=$channel")
		args+=(-device "virtserialport,chardev=${channel##*/},name=${channel##*/}")
	done
fi

# COMMAND's output is also written to $log/output, where the watch sees
# progress.
rm -f "$log/progress"
: >"$log/output"
tee -a "$log/output" <"$run/out" &
pumps=$!
tee -a "$log/output" <"$run/err" >&2 &
pumps="$pumps $!"

# The watch waits for events on this pipe, mostly heartbeats.  Only QEMU and its
# parents hold the pipe open for writing, so end of file means that QEMU has
# ended.
exec {hold}<>"$run/events"
exec {events}<"$run/events"
"$here/inroot.sh" "${binds[@]}" -- \
	qemu-system-x86_64 "${args[@]}" "${devices[@]//@RUN@/$run}" \
	${qemu_args[@]+"${qemu_args[@]}"} \
	>"$log/qemu" 2>&1 </dev/null 9>"$run/events" {hold}>&- {events}<&- &
qemu=$!
exec {hold}>&-

complaints()
{
	"$here/console-check.sh" ${check[@]+"${check[@]}"} "$log"/*console
}

# changed NAME FILE...: has one of FILE... changed since the last call with
# NAME?
changed()
{
	local mark=$run/seen-$1 file
	shift
	for file; do
		if [ "$file" -nt "$mark" ]; then
			: >"$mark"
			return 0
		fi
	done
	return 1
}

# Adds to $starved how long, since the last call, other work of this machine
# kept the VM from running: the longest time that one of QEMU's threads waited
# for a core, in nanoseconds.
declare -A waited=()
starved=0
vmm=
look_at_machine()
{
	local task wait most=0

	if [ -z "$vmm" ]; then
		# The child of inroot.sh, process 1 of its namespace
		read -r vmm _ <"/proc/$qemu/task/$qemu/children"
		[ -n "$vmm" ] || return
	fi
	for task in "/proc/$vmm/task"/*; do
		read -r _ wait _ <"$task/schedstat" || continue
		if [ $((wait - ${waited[$task]:-$wait})) -gt $most ]; then
			most=$((wait - ${waited[$task]}))
		fi
		waited[$task]=$wait
	done
	starved=$((starved + most))
} 2>/dev/null

# The watch runs until the VM has to end, and leaves the reason in $end.  Its
# clock, $granted, counts only the seconds in which the VM could run, so a VM
# that is merely slow goes on.  A VM is dead when one of its CPUs has sent no
# heartbeat for two minutes (while it boots, four).
start=$SECONDS
granted=0
looked=
booted=
beats=()
for ((cpu = 0; cpu < cpus; cpu++)); do
	beats[cpu]=0
done
progress=0
complained=
end=
echo 0 >"$run/granted"
: >"$run/seen-output"
until [ -n "$end" ]; do
	read -r -t 20 -u $events line
	got=$?
	if [ "$looked" != $SECONDS ]; then
		look_at_machine
		granted=$((SECONDS - start - starved / 1000000000))
		# For programs in the VM that have time limits, such as run.sh
		echo "$granted" >"$run/granted"
	fi
	line=${line%$'\r'}
	if [ $got -gt 0 ] && [ $got -le 128 ]; then
		# QEMU has ended.  The event "status" may be lost at power-off.
		end=gone
		[ ! -e "$run/status" ] || end=result
	fi
	[ $got = 0 ] || line=
	case $line in
	status) end=result ;;
	'progress '*)
		echo "${line#* }" >"$log/progress"
		progress=$granted
		;;
	'' | *[!0-9]*) ;;
	*)
		# The limit for COMMAND's progress starts with the first
		# heartbeat.
		[ -n "$booted" ] || progress=$granted
		booted=1
		[ "$line" -ge "$cpus" ] || beats[line]=$granted
		;;
	esac
	[ "$looked" != $SECONDS ] || continue
	looked=$SECONDS
	for beat in "${beats[@]}"; do
		if [ $((granted - beat)) -ge $((booted ? 120 : 240)) ]; then
			: "${end:=dead}"
		fi
	done
	! changed output "$log/output" || progress=$granted
	if [ -n "$booted" ] && [ $((granted - progress)) -ge "$timeout" ]; then
		: "${end:=timeout}"
	fi
	if [ -z "$complained" ] && changed consoles "$log"/*console &&
		! complaints >/dev/null; then
		complained=$granted
	fi
	# The command has a minute to end; it may hang because of the complaint.
	if [ -n "$complained" ] && [ $((granted - complained)) -ge 60 ]; then
		: "${end:=complained}"
	fi
done
# A VM that has left a result powers itself off: wait for that.
while [ "$end" = result ] && read -r -t 20 -u $events line; do
	:
done
{
	kill -KILL "$qemu"
	wait "$qemu"
	qemu_status=$?
} 2>/dev/null
qemu=
# If QEMU ended before it opened the pipes, the pumps still wait for it: open
# them.
: <>"$run/out" <>"$run/err"
# shellcheck disable=SC2086 # a list of pids
wait $pumps

if [ -n "$leaks" ] && ! "$here/leak-check.sh" "$log/leaks" >&2; then
	echo "vm.sh: $name: memory was leaked, see above" >&2
	exit 122
fi
if ! complaints >&2; then
	echo "vm.sh: $name: a kernel complained, see above" >&2
	exit 122
fi
# The messages tell how busy the machine was, so that nobody takes that for the
# cause.
busy="$((SECONDS - start)) s after its start, of which this machine had no core"
busy+=" for it in $((starved / 1000000000)) s"
case $end in
result) exit "$(cat "$run/status")" ;;
timeout)
	echo "vm.sh: $name: the command is blocked: it has printed nothing for" \
		"$((granted - progress)) s in which the VM could run;" \
		"the VM is alive, $busy" >&2
	tail -n 5 "$log/console" >&2
	exit 124
	;;
dead)
	echo "vm.sh: $name: the VM is dead (emulator or kernel): a CPU has not" \
		"beaten for two minutes in which the VM could run; beats at" \
		"${beats[*]} of $granted s; $busy" >&2
	exit 125
	;;
*)
	echo "vm.sh: $name: QEMU ended (status $qemu_status) without a" \
		"result of the command:" >&2
	cat "$log/qemu" >&2
	[ -s "$log/console" ] || exit 121
	tail -n 20 "$log/console" >&2
	# Status 0: the VM powered itself off.  Any other is a fault of QEMU.
	[ "$qemu_status" = 0 ] || exit 75
	exit 125
	;;
esac

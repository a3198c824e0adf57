#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The steps on a host of the test of the quick start.  Runs in the host VM, after
# the demo's host.sh has set up the network; quick-start.sh calls it for each step.

set -euo pipefail

usage()
{
	cat <<-END
	usage: host.sh prepare ADDRESS  make what the page's reader has: vfio-mig,
	                                ssh between the hosts, which listens at
	                                ADDRESS, and a VM
	       host.sh commands FILE    run these commands as the page's reader
	                                does; \$pf, \$vf, \$mac, \$vm and
	                                \$destination are set
	       host.sh migrated FILE    repeat the commands, which print the
	                                migration's progress, until it has ended;
	                                raise the downtime limit if it does not end
	       host.sh status           print the VM's status
	       host.sh return-path      print whether QEMU has the capability
	                                return-path on; as with status, nothing
	                                if QEMU is too slow to answer, and it
	                                fails if there is no QEMU
	       host.sh driver           print which driver the VF is bound to
	       host.sh quit             end QEMU
	END
}

[ "${1-}" != --help ] || { usage; exit 0; }

here=$(dirname "$(realpath "$0")")
out=/out
monitor=/run/vm.monitor
# shellcheck disable=SC2034 # for the page's commands
destination=B
vf=0000:01:10.0
# The first 82576
# shellcheck disable=SC2034
pf=$(basename "$(echo /sys/bus/pci/devices/0000:01:00.0/net/*)")
# shellcheck disable=SC2034
vm='-nodefaults -cpu host -readconfig /run/vm.conf'
vm+=' -serial chardev:console -serial chardev:out'
# See bed.sh
# shellcheck disable=SC2034
mac='' memory=''
# shellcheck source=/dev/null
. $out/settings

# The VM's arguments: the options of nested, in QEMU's format
make_vm()
{
	nested-initrd /run/vm.initrd "$here/guest.sh"
	cat >/run/vm.conf <<-END
	[machine]
	  type = "q35"
	  accel = "kvm"
	  kernel = "/run/vm/ctl/nested.vmlinuz"
	  initrd = "/run/vm.initrd"
	  append = "console=ttyS0 loglevel=5 panic=-1 no_timer_check"
	[memory]
	  size = "${memory}M"
	[chardev "console"]
	  backend = "file"
	  path = "/run/vm/log/vm.console"
	[chardev "out"]
	  backend = "file"
	  path = "$out/vm.out"
	END
}

# make_ssh ADDRESS: each host has a key of its own, and trusts those that
# quick-start.sh gives it.
make_ssh()
{
	printf '10.2.0.1 A\n10.2.0.2 B\n' >>/etc/hosts
	mkdir -p /run/sshd
	mkdir -p /root/.ssh
	chmod 700 /root/.ssh
	ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
	ssh-keygen -q -t ed25519 -N '' -f /run/sshd/key
	cp /root/.ssh/id_ed25519.pub $out/user.pub
	echo "$(hostname) $(cut -d' ' -f 1,2 /run/sshd/key.pub)" >$out/host.pub
	echo "UserKnownHostsFile $out/known_hosts" >/root/.ssh/config
	cat >/run/sshd/config <<-END
	ListenAddress $1
	HostKey /run/sshd/key
	AuthorizedKeysFile $out/authorized_keys
	StrictModes no
	UsePAM no
	PidFile /run/sshd/pid
	END
	/usr/sbin/sshd -f /run/sshd/config -E $out/sshd.log
}

prepare()
{
	install $out/vfio-mig /usr/local/sbin/
	# As udev does when a VF appears
	modprobe igbvf
	make_vm
	make_ssh "$1"
}

commands()
{
	# shellcheck source=/dev/null
	. "$1"
}

ask_monitor()
{
	echo "$*" | socat - unix:$monitor
}

# The number of QEMU's passes over the memory
passes()
{
	sed -n 's/^dirty sync count: \([0-9]*\).*/\1/p' <<<"$1"
}

# After each ten passes, the downtime limit is doubled, as in the demo.  socat may
# be gone before a slow QEMU answers: then the answer has no status.
migrated()
{
	local said limit=300 raise_at=10 pass

	while :; do
		said=$(commands "$1" 2>&1) || {
			echo "$said"
			return 1
		}
		case $said in
		*'status: completed'*) return ;;
		*'status: failed'* | *'status: cancelled'*)
			echo "$said"
			return 1
			;;
		esac
		pass=$(passes "${said//$'\r'}")
		if [ "${pass:-0}" -gt $raise_at ]; then
			limit=$((limit * 2))
			raise_at=$((raise_at + 10))
			ask_monitor migrate_set_parameter downtime-limit $limit
		fi
		sleep 1
	done
}

# answer NAME COMMAND...: what the monitor's answer has after "NAME: "
answer()
{
	local name=$1
	shift
	ask_monitor "$@" | tr -d '\r' | sed -n "s/^$name: //p"
}

case ${1-} in
prepare) prepare "$2" ;;
commands) commands "$2" ;;
migrated) migrated "$2" ;;
status) answer 'VM status' info status ;;
return-path) answer return-path info migrate_capabilities ;;
driver) basename "$(readlink /sys/bus/pci/devices/$vf/driver || echo none)" ;;
quit) ask_monitor quit >/dev/null ;;
*) usage >&2; exit 2 ;;
esac

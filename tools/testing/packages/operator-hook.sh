#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# debian.sh's last step for the operator's machine: what apt is to install there
# later becomes a repository on its own disk, as the machine has no network then.
# /srv/second names the second kernel, /srv/newer the one of trixie-backports, if
# there is one.
# usage: operator-hook.sh TREE

exec chroot "$1" sh -eu <<'END'
rm -f /etc/apt/apt.conf.d/99mmdebstrap

# newest PATTERN: the last amd64 kernel whose version matches, if any
newest()
{
	apt-cache search --names-only "^linux-image-$1.*-amd64\$" |
		cut -d' ' -f1 | sed 's/^linux-image-//' |
		grep -v -e unsigned -e '-rt-' -e '-cloud-' |
		grep -vxF "$first" | sort -V | tail -n 1
}

first=$(ls /lib/modules)
second=$(newest '6\.12\.[0-9]')
if [ -z "$second" ]; then
	echo "the mirror has no second 6.12 kernel" >&2
	exit 1
fi
echo "$second" >/srv/second
# The last kernel that the modules are made for
sed 's/ trixie / trixie-backports /' /etc/apt/sources.list.d/*.list \
	>/etc/apt/sources.list
apt-get -qq update
newer=$(newest '7\.3\.[0-9]')
echo "$newer" >/srv/newer
mkdir -p /srv/debian/partial /srv/ours
apt-get -y -qq --download-only -o Dir::Cache::archives=/srv/debian install \
	dkms driverctl linux-headers-amd64 mokutil openssl \
	"linux-image-$second" "linux-headers-$second" \
	${newer:+"linux-image-$newer" "linux-headers-$newer" \
		linux-base/trixie-backports} \
	libjs-sphinxdoc sphinx-rtd-theme-common
rm -rf /srv/debian/partial /srv/debian/lock
for repository in /srv/debian /srv/ours; do
	(cd $repository && apt-ftparchive packages . >Packages)
done
echo 'deb [trusted=yes] file:/srv/debian ./
deb [trusted=yes] file:/srv/ours ./' >/etc/apt/sources.list
END

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The last step of mmdebstrap when root.sh makes the root: extracts the few
# files of the kernel's source package that the tests and checks use.  usage:
# root-hook.sh ROOT

exec chroot "$1" sh -eu <<'END'
cd /tmp
tar -xJf /usr/src/linux-source-6.12.tar.xz --wildcards --strip-components=1 \
	'*/scripts/checkpatch.pl' '*/scripts/spelling.txt' \
	'*/scripts/const_structs.checkpatch' \
	'*/tools/testing/selftests/kselftest.h' \
	'*/tools/testing/selftests/kselftest_harness.h'
to=/usr/local/share/kernel-test
mkdir -p $to
mv scripts/* tools/testing/selftests/*.h $to/
rm -rf /tmp/*
END

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Says whether a kernel complained: looks through console logs for the marks
# that warnings, oopses and the kernel's own checkers leave, and prints what
# it finds with the lines that follow.

set -u

usage()
{
	cat <<-END
	usage: console-check.sh [--allow REGEX]... [--forbid REGEX]... LOG...

	Exit status 1, and the lines on stdout, if a kernel complained.
	  --allow REGEX    lines that match are no complaint
	  --forbid REGEX   lines that match are one, too
	END
}

marks='WARNING: |BUG: |BUG at |Oops: |Kernel panic|general protection fault'
marks+='|Call Trace:|refcount_t:|UBSAN: |KASAN: |KFENCE: |kmemleak: [1-9]'
marks+='|possible circular locking|possible recursive locking'
marks+='|possible deadlock|inconsistent lock state|suspicious RCU usage'
marks+='|INFO: lockdep|INFO: task .* blocked for|rcu.*(stall|starved)'
marks+='|soft lockup|hard LOCKUP|unable to handle|scheduling while atomic'
marks+='|sleeping function called|bad page|Bad page|list_(add|del) corruption'
marks+='|usercopy:|stack-protector|still has locks held|held lock freed'
marks+='|irq [0-9]+: nobody cared'
allow='^$'
while [ $# -gt 0 ]; do
	case $1 in
	--help) usage; exit 0 ;;
	--allow) allow+="|$2"; shift 2 ;;
	--forbid) marks+="|$2"; shift 2 ;;
	-*) usage >&2; exit 2 ;;
	*) break ;;
	esac
done
[ $# -gt 0 ] || { usage >&2; exit 2; }

bad=0
for log; do
	[ -s "$log" ] || continue
	if ! grep -aE "$marks" "$log" | grep -qavE "$allow"; then
		continue
	fi
	bad=1
	echo "--- ${log##*/}"
	# From the first complaint on, as the console shows it, at most a screen.
	tr -d '\r' <"$log" | ALLOW=$allow MARKS=$marks awk '
		$0 ~ ENVIRON["MARKS"] && $0 !~ ENVIRON["ALLOW"] { left = 40 }
		left > 0 && shown < 200 { print; left--; shown++ }'
done
exit $bad

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Finds out whether a kernel complained: searches console logs for the messages
# of warnings, oopses and the kernel's own checkers, and prints them with the
# lines that follow.

set -u

usage()
{
	cat <<-END
	usage: console-check.sh [--allow REGEX]... [--forbid REGEX]... LOG...

	Prints the complaints and exits with status 1 if there are any.
	  --allow REGEX    lines that match are no complaint
	  --forbid REGEX   lines that match are complaints as well
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
	# Each complaint with the 40 lines after it, 200 lines altogether
	tr -d '\r' <"$log" | ALLOW=$allow MARKS=$marks awk '
		$0 ~ ENVIRON["MARKS"] && $0 !~ ENVIRON["ALLOW"] { left = 40 }
		left > 0 && shown < 200 { print; left--; shown++ }'
done
exit $bad

# SPDX-License-Identifier: GPL-2.0-only
#
# Reads what gcc's -aux-info writes: the prototypes that the headers
# declare, and those that eval.c makes of their pointers and variables, as
# name and type.  What a header defines is written with the names of its
# parameters, which are left out.  Functions of vfio_iova_bitmap.h have other names
# for drivers, by macros.

$2 !~ /\/linux\/(vfio(_pci_core)?|(vfio_)?iova_bitmap)\.h:/ && !/abi_pointer_|abi_address_of_/ {
	next
}

{
	defined = $2 ~ /F$/
	sub(/^\/\* [^*]* \*\/ /, "")
	sub(/; \/\*.*/, ";")
	sub(/^(extern|static) /, "")
	open = index($0, " (")
	head = substr($0, 1, open - 1)
	parameters = substr($0, open + 2)
	sub(/\);$/, "", parameters)

	if (defined && parameters != "void") {
		count = split(parameters, parameter, ", ")
		parameters = ""
		for (i = 1; i <= count; i++) {
			sub(/[A-Za-z0-9_]+$/, "", parameter[i])
			sub(/ $/, "", parameter[i])
			parameters = parameters (i > 1 ? ", " : "") parameter[i]
		}
	}

	name = head
	sub(/.*[ *]/, "", name)
	type = substr(head, 1, length(head) - length(name))
	sub(/^vfio_iova_bitmap_/, "iova_bitmap_", name)
	sub(/ $/, "", type)
	print name, type, "(" parameters ")"
}

# SPDX-License-Identifier: GPL-2.0-only
#
# Reads the output of gcc's -aux-info, and prints name and type of the functions
# that the headers declare, and of the prototypes that eval.c has for pointers
# and variables.  Leaves out the names of parameters, which gcc writes for
# inline functions.  Macros of vfio_iova_bitmap.h give its functions the names
# iova_bitmap_*.

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

# SPDX-License-Identifier: GPL-2.0-only
#
# Reads "readelf --debug-dump=info": name and value of the enumerators whose
# names are of VFIO.

/DW_TAG_/ {
	enumerator = /DW_TAG_enumerator/
}

enumerator && /DW_AT_name/ {
	name = $NF
}

enumerator && /DW_AT_const_value/ && name ~ /^(VFIO|vfio)/ {
	print name, $NF
}

# SPDX-License-Identifier: GPL-2.0-only
# The kernels that the modules build for, in their order.  Kbuild refuses all
# others, and the Debian package has DKMS skip them.  tools/testing/kernels
# names the documents that have to agree.
linux_versions := 6.12 6.13 6.14 6.15 6.16 6.17 6.18 6.19 7.0 7.1 7.2 7.3
linux_range := $(firstword $(linux_versions)) to $(lastword $(linux_versions))

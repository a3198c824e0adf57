# SPDX-License-Identifier: GPL-2.0-only
#
# Configuration of Sphinx for "make htmldocs", which gives as KERNEL_DOC a
# directory with the kernel's scripts/kernel-doc and Documentation/sphinx.
# In a kernel tree, the kernel's own conf.py is used.

import importlib.util
import os
import sys

kernel = os.environ['KERNEL_DOC']
sys.path.insert(0, os.path.join(kernel, 'Documentation/sphinx'))

project = 'VFIO with live migration'
extensions = ['kerneldoc', 'automarkup']
kerneldoc_bin = os.path.join(kernel, 'scripts/kernel-doc')
kerneldoc_srctree = os.environ['srctree']
primary_domain = 'c'
highlight_language = 'none'
smartquotes = False
templates_path = []

# Attributes of the kernel that Sphinx does not know
c_id_attributes = ['__user', '__iomem', '__must_check', '__printf', '__rcu']

html_theme = 'alabaster'
if importlib.util.find_spec('sphinx_rtd_theme'):
    html_theme = 'sphinx_rtd_theme'
html_show_copyright = False
html_copy_source = False

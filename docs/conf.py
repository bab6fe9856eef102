"""How Sphinx builds these pages: `python -m sphinx docs build/docs`."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "rvplat"
author = "the authors of rvplat"
version = release = version_of("rvplat")
extensions = ["myst_parser", "generate"]
exclude_patterns = ["build"]
html_theme = "furo"
html_title = f"rvplat {version}"
html_copy_source = False
html_show_sourcelink = False
highlight_language = "text"
pygments_style = "friendly"
smartquotes = False  # quotes in messages and TOML stay what they are
nitpicky = True
myst_heading_anchors = 4
myst_enable_extensions = ["deflist"]

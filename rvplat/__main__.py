"""`python -m rvplat` runs the command `rvplat`."""

import sys

from rvplat.cli.entry import main

sys.exit(main())

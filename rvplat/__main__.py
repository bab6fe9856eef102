"""`python -m rvplat` is the command `rvplat`."""

import sys

from rvplat.cli.entry import main

sys.exit(main())

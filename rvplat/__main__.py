"""`python -m rvplat` is the command `rvplat`."""

import sys

from rvplat.cli.main import main

sys.exit(main())

"""`python -m rvplat.cli`."""

import sys

from rvplat.cli.main import main

sys.exit(main())

"""Random programs in lock step with Spike. Start reading with program.py and compare.py."""

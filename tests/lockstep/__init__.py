"""Random programs in lock step with Spike. Begin with program.py and compare.py."""

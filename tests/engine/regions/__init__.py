"""Tests of the compiler of regions and of the regions that are kept."""

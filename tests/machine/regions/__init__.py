"""Tests of machines whose code runs in regions: nothing is lost."""

"""Worked examples, loaded as a stranger's plugins are: `rvplat run --plugin PATH`."""

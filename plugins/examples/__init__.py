"""Worked examples, loaded as users' plugins are: `rvplat run --plugin PATH`."""

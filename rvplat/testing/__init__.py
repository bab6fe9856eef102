"""Tests of firmware: a pytest plugin with the fixtures `machine` and `machines`, and a library for
Robot Framework. docs/howto/tests.md says how they are used.

pytest imports `plugin` in every run of an environment that has rvplat, so that it imports nothing
of the machine before a test asks for one.
"""

"""Snapshots of a machine: its whole state, in memory or in a file."""

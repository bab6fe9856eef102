"""Recordings: the input of a run with a virtual clock, and where it arrived; and replays."""

"""Tests of going back in the history of a run."""

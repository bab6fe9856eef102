"""Timelines of harts: what a hart did when, as a trace for Perfetto."""

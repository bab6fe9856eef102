"""Fault campaigns: one run for each fault, all from the same state, compared with a run without.

plan.py       what a fault does and where; how a campaign's faults follow from a seed
campaign.py   the run without a fault, and the run with one
workers.py    the runs in several processes
"""

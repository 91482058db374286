"""How far the harness's own numbers can be trusted on this machine.

benchmark.py  the list of what is measured
trials.py     repeated runs, one model timed twice, slowdowns of known size, and where the time of a run goes
page.py       measurement.md and its figure from measurement.json; imports no torch
"""

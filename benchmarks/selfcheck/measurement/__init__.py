"""How far the harness's own numbers can be trusted on this machine.

trials.py     repeated runs, one model timed twice, slowdowns of known size, and where the time of a run goes
page.py       what is measured, the bars, and measurement.md from measurement.json; imports no torch
"""

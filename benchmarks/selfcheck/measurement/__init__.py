"""How far the harness's own numbers can be trusted on this machine.

trials.py     repeated runs, one model timed twice, slowdowns of known size, and where the time of a run goes
simulated.py  what intervals and verdicts are worth on the rounds of a run's records, with nothing timed
figures.py    what was found in them, by the rules of benchmarks.stats
page.py       what is measured, the bars, and measurement.md from measurement.json; imports no torch
"""

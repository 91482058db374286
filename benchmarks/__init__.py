"""The harness: plan what is asked, measure it in processes of its own, keep every record, write the report.

run.py, compare.py   what a person types
plan/                a command line becomes cases
measure/             cases become records: each in its own process, timed ones in shuffled rounds
metrics/             what can be measured, one file each: how, in which unit, on what it depends, in which columns
records/             what a case and a record are, how records survive, and when they no longer stand
stats/               arithmetic on plain numbers: intervals, ratios, verdicts
studies/             papers' own comparisons, one file each
report/              every page, from records alone
selfcheck/           what this project asks of itself: speed, measurement, loading, parity

Imports run one way: stats, records <- metrics <- studies, plan <- measure <- what a person types; the report never
measures.
"""

import os.path
import sys

__all__: list[str] = []

if sys.argv[:1] == ["-m"]:  # while Python looks for a command, first of all in the working directory
    _beside = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    if not sys.flags.safe_path and os.path.realpath(sys.path[0]) != _beside:
        del sys.path[0]  # there may be another `zoo`

    from zoo.shell import listen_while_importing

    listen_while_importing()

"""The harness: plan what is asked, measure it in processes of its own, keep every record, write the report.

A run, in the order things happen
    run.py, arguments.py            the command line: parse, plan, execute, report
    engine.py, rounds.py, worker.py cases become records: planned, timed in shuffled rounds, each in its own process
    records.py, store.py, code.py   what is kept, how it survives, and when it no longer stands
    publish.py, report/, columns.py tables, figures and the page, from records alone
What can be measured, one file each
    metrics/, datasets/, studies/, training.py
What is known about the measuring
    environment.py, noise.py, statistics.py, compare.py, selftest.py
Benchmarks of this project itself, each with its page
    speed/, measurement/, loading.py, parity.py; tasks.py runs the first two
"""

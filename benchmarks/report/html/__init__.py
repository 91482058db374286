"""The page to explore: one file that needs no network, its rules in Python, its looks and manners beside this file."""

from benchmarks.report.html.page import write_index

__all__ = ["write_index"]

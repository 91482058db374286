"""Arithmetic on plain numbers: intervals, ratios, verdicts."""

"""From records to a page people read: Markdown, tables and pictures, without PyTorch."""

import os

os.environ["MPLBACKEND"] = "agg"  # pictures are files here, whatever a notebook has left in the environment

from benchmarks.report.pages import write_report

__all__ = ["write_report"]

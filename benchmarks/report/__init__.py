"""From records to a page people read: Markdown, tables and pictures, without PyTorch."""

from benchmarks.report.pages import write_report

__all__ = ["write_report"]

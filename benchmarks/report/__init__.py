"""From records to a page people read: Markdown, tables and pictures, without PyTorch."""

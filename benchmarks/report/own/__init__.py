"""Somebody's own images: which network is best for them, and what it still gets wrong."""

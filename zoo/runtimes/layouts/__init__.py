"""Layers in the memory layouts that are fastest on a processor."""

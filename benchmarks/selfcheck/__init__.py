"""This project's own bars: speed, measurement, loading, parity."""

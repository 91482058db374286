"""What becomes of the harness with more nodes, cases and records than any machine here has."""

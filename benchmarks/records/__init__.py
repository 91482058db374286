"""What was found and when it still stands."""

"""What is asked: from a command line to cases."""

"""What `zoo` does at a shell, one file a command; each adds its arguments and returns an exit status."""

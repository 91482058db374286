"""How cases are measured: processes, rounds, what else the machine does."""

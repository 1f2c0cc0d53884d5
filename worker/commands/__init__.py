"""The work of each command that a person types; the command line itself is in ``worker.cli``."""

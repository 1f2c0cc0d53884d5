"""Tables and their columns."""

"""What operators do with a state; commands, pages and tests use it alike."""

"""What the Web API tells of its own tables."""

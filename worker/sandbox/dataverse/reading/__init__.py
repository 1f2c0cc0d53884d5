"""Queries and metadata, and how rows are shown."""

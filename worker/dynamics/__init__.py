"""Talks to Dynamics: requests, tokens, the gate, and what answers mean."""

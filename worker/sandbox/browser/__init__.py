"""Stand-ins for what an agent's browser shows beside our pages: the softphone and Dynamics."""

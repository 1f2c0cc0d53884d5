"""What browser tests stand on: the pages, the softphone and Dynamics, each on an origin of its own."""

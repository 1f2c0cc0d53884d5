"""What browser tests stand on: pages, softphone and Dynamics, each on an origin of its own."""

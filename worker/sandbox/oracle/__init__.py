"""What ought to be in Dynamics after given traffic, worked out without the worker's code."""

"""What ought to be in Dynamics after given traffic, told without the worker's code."""

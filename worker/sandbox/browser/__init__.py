"""The people and pages round Amazon Connect and Dynamics, on one machine."""

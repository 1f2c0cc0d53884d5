"""The whole product shown on one machine: make run and make up."""

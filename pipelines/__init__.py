"""What connect-dynamics knows and decides: pure functions of facts, without I/O or clock."""

"""What connect-dynamics does: everything that touches network, disk or clock."""

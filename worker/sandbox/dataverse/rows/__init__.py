"""Records and what writing does to them."""

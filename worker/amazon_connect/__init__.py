"""Amazon Connect while a contact is on: what it is asked, and what goes back to it."""

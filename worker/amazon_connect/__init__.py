"""Amazon Connect while a contact is active: what we ask it, and what we write back."""

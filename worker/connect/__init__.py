"""What goes back to Amazon Connect while a contact is on."""

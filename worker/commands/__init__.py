"""What a person types: each command's work, apart from its words on the command line."""

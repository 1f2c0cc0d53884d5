"""A local stand-in for the clouds: Dataverse with its token endpoint, and traffic."""

"""Dataverse's Web API: the application, its organisation, its limits and faults."""

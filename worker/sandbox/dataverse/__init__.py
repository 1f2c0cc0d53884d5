"""Dataverse's Web API: the application, its organisation, its limits and faults.

Marks like ``[DOC webapi/query-metadata]`` name the page that a fact is from, below
https://learn.microsoft.com/power-apps/developer/data-platform/
"""

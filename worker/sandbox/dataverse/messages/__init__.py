"""Functions and actions that are no reads or writes of rows [DOC webapi/use-web-api-functions]."""

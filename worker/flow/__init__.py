"""The same lookups and the same activities from inside a contact flow, as an AWS Lambda."""

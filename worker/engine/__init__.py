"""Events in, changes out: ingest, push, and what keeps one contact's trouble from the rest."""

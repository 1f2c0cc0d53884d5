"""How OData looks on the wire: calls, replies, paths and refusals."""

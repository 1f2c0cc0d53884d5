"""Real workers under trial: whole processes, what they read, and what became of it.

``ground`` is what they stand on (streams, queue, tables, a sandbox over TLS), ``crew`` the
processes of ``connect-dynamics run``, ``producer`` what puts contacts and remembers each message,
``watch`` what the lease tables showed, ``account`` what became of all that was put; ``reshard``
splits and merges. ``trial`` sets them up together; whoever wants other settings for the workers,
such as a proxy's addresses, does the same with ``Ground.environment`` changed.
"""

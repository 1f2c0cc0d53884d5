"""Real workers under fire: processes, the ways between them and the services, and Dynamics itself.

``plan`` decides by a seed what goes wrong when, ``fire`` does it, ``poison`` keeps some records out
of Dynamics for good, ``versions`` tells whether an older contact record ever came over a newer one,
``outcome`` judges and tells all on one page; ``run`` puts it together on what ``fleet`` has.

``python -m torture --minutes 10 --seed 1``
"""

"""What grows with time: real processes looked at from outside, and simulated ones from inside.

``watched`` is a worker that tells what only itself can know, ``looks`` reads that and all that
/proc and the metrics page say, ``trend`` judges whether what was seen stays flat.
"""

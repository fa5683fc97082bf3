"""``/api/v1``: the daemon's services under Detrix's names and in its shapes.

Its words, beside ours: a *metric* is a probe, a *connection* a node or a target, an *event* a hit.
"""

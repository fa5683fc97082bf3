"""An authenticated byte connection between a node and the daemon, and the little HTTP that finds it.

``auth`` knows who the peer is, and ``owner`` asks the kernel for it; ``browser`` keeps web pages out,
``address`` tells this machine's own addresses; ``nodefile`` reads who can be found, ``handshake`` says
the first words of a link (both sides, without I/O), ``connection`` is the node's end of it, ``http`` is
a minimal HTTP/1.1, ``discovery`` finds the link of a daemon by its URL.
"""

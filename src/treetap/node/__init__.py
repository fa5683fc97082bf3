"""A node: what lives in an observed process.

Asleep there are ``core`` (the node and its state), ``control`` with ``routes``, ``gate`` and
``files`` (the control plane), ``identity``, ``registry`` (how it is found), ``forking``, ``ending``
and ``fault``. Awake there are ``waking``, ``shipper``, ``outbox`` and ``plain`` as well. ``api`` is
what users call, ``birth`` what the start-up hook calls, ``launch`` what ``treetap run`` calls.

What is loaded asleep imports nothing that costs: tests/node/test_cold.py has the list.
"""

"""A node: what lives in an observed process.

Asleep there are ``core`` (the node), ``life`` (its transitions), ``control`` with ``routes``, ``gate``
and ``files`` (the control plane), ``identity``, ``registry`` (how it is found), ``forking``, ``ending``
and ``fault``. Awake there are ``waking``, ``engine``, ``shipper``, ``outbox`` and ``plain`` as well.
``api`` is what users call, ``launch`` what ``treetap run`` calls, ``birth`` what the start-up hook
calls; ``standing`` and ``adoption`` are how a process that starts gets its tree's probes.

What is loaded asleep imports nothing that costs: tests/node/test_cold.py has the list.
"""

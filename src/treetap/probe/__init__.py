"""Probes in a running process: what arms them, records their hits, and takes them out again.

Reading order: ``recorder`` (what happens at a hit), ``snippet`` (the code that is spliced in),
``splice`` and ``swap`` (how it gets into a running function), ``lookup`` (where), ``monitoring`` and
``tracing`` (what a swap can't reach), ``probeset`` (all of it under one roof).
"""

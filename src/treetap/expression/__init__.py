"""Expressions that a probe takes: checked by their syntax tree, evaluated without surprises.

Reading order: ``syntax`` and ``grammar`` (what may be written), ``standard`` (which types are
harmless), ``reading`` (attributes, without running code), ``safety`` (looking at values before an
operation, and paying for it), ``evaluation`` (a tree becomes a reader; the ways that it uses are
in ``operation``, ``function``, ``method``, ``text``), ``trusted``, ``redaction``. ``parts`` is for
capture. All of it is pure: nothing is printed, armed or sent.
"""

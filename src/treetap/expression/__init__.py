"""Expressions that a probe takes: checked by their syntax tree, evaluated without surprises.

``syntax`` parses and checks; ``evaluation`` turns a checked tree into a reader; ``reading`` reads
attributes of objects without running their code; ``standard`` knows which types are harmless;
``redaction`` knows which names are secrets. All of it is pure: nothing is printed, armed or sent.
"""

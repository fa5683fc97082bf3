"""What treetap costs and gives, measured against peers and hand-written lines in one run.

``python -m benchmarks`` (as a rule through ``make bench``) measures on the interpreter that runs it.
``README.md`` beside this file says how, and holds the last results.
"""

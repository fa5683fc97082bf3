"""The daemon as a process: ``python -m treetap.app run``. Its composition root."""

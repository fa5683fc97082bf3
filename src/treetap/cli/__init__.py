"""The commands: the roof of the house, faces over the registry, the control planes and the daemon.

A command's module holds its signature and imports what is heavy (httpx, rich, the client) inside
its functions: ``treetap run`` stands before every program that it starts, so what it costs there
is the user's time.
"""

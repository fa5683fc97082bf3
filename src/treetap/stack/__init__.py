"""What a process is doing now: its threads, its trio and asyncio tasks, and where each of them stands.

Read from another thread of the process, between two of the program's steps; nothing of it is called,
stopped or changed. Nothing here is imported before somebody asks.
"""

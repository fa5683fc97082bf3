"""One file a claim; each has ``measure(setting) -> list[Claim]``, and is its own worker's program."""

"""Other people's names for what treetap does, for programs that were written for them."""

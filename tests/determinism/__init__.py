"""The proof that runs with a virtual clock can be repeated."""

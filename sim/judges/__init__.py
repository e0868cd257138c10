"""Judges of a simulated run: each watches invariants of its own and names the first breach."""

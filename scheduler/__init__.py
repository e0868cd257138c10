"""Nouns of the work and decisions about it: what a job is, where it may run, what became of it.

Pure throughout: nothing here reads a clock, draws chance of its own or touches the machine. Every
other package imports this one; it imports none of them.
"""

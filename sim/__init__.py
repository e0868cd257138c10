"""The shipping member under faults on a heap of events (pure): one seed, one judged history.

A second shell over the same cores: no rule is written here a second time.
"""

"""The autoscaler: what was seen of the target over time, what it did, and whether it did what was expected.

The target's objects come in, a timeline is kept, figures and judged expectations go out. It changes nothing.
"""

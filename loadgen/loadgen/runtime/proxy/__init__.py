"""The delay proxy: a process of its own that stands before the target for a run.

Its data path, its control API and its main; the load's processes know nothing of it.
"""

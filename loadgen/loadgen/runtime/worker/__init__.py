"""Processes: shards under a supervisor, their messages, the control API, the exporter, and a worker's main.

The laptop's run is the same supervisor without the control API (`local`). It carries deltas and merges nothing.
"""

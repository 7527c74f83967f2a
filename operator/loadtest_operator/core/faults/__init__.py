"""Faults: when each is put in and taken out, what became of it, and whether what makes them was well.

`machine` is one table for all faults, `providers` the table of who makes which kind; each provider is a file of its own
(`delay_proxy`) and an adapter, and nobody else names it. `view` is what an adapter saw, `windows` the seconds with a fault
in force, `claims` the conditions, `path` the soundness of what stands in the load's way. May use fleet; the life of a
run comes in by `machine.advanced`, `claims`, `windows` and `providers`.
"""

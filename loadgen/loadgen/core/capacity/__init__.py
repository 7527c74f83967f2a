"""Capacity: what several levels or several runs say together. Steady state, comparison, knee, provisioning.

Pure statistics over records (`model.record`) and counts; no tally, no clock, no file. It may know everything below in
the generator's core; nothing there knows it. Doors: `steady.beside` for whoever makes a report; for the commands
`compare.compare`, `sweeping` (a sweep so far, over `points`, `search` and `knee`) and `provision.provision`. Each says
Undecided, TooShort, AtLeast or AtMost rather than a number that it cannot stand for.
"""

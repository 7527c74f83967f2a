"""Capacity: what several levels or several runs say together. Steady state, comparison, knee, provisioning.

Pure statistics over records (`model.record`) and counts; no tally, no clock, no file. It may know everything below in
the generator's core; nothing there knows it. The commands come in by one function a module: `steady.beside`,
`compare.compare`, `knee.find`, `search.next_level`, `provision.provision`. Each says Undecided, TooShort, AtLeast or AtMost
rather than a number that it cannot stand for.
"""

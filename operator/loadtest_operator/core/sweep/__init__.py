"""LoadTestSweeps: which LoadTest is made next, what the finished ones come to, and what is said of it.

`decide_sweep(observed, now)` is the door. Levels, searches, knees and verdicts of levels are the generator's arithmetic
(`loadgen.core.capacity`); here is only what a cluster adds: LoadTests in place of runs, and an operator that may die.
"""

"""When things are done: timers, the pacer, slots, the executor that begins and ends requests, and a shard's run.

It follows core.schedule's moments to tens of microseconds, and hands every outcome to recording.
"""

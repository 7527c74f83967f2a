"""Floor 0, the contract: what to run (plan), what a worker says (wire), what came out (report).

Nothing here reads a clock, opens a socket or computes a statistic; validating values is all the logic there is.
"""

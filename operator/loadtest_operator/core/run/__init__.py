"""The life of a run: the table of phases, the rules of each, the decision, the queue, history and retention, giving up.

`decide(observed, now)` is the door: it asks the other rooms (fleet, scaling, faults, evidence) and answers with a
status and actions. No other room calls it.
"""

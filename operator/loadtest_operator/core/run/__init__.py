"""The life of a run: the table of phases, the rules of each, the decision, the queue, history and retention, giving up.

`decide(observed)` is the door (the moment is a part of what was observed): it asks the other rooms (fleet, scaling, faults,
evidence) and answers with a status and actions. No other room calls it.
"""

"""What happened, as numbers: rows of outcomes folded into a second's cells, and the generator's own pulse.

It takes exchanges that ended and gives deltas; it neither sends nor judges.
"""

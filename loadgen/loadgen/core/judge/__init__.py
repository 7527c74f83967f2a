"""Judgement: thresholds, validity of the measurement, the verdict, and what is wrong with a plan before any load.

It reads tallies and plans and answers in sentences. Laptop and operator call the same functions here; nothing else
decides whether a run is good, bad or not known.
"""

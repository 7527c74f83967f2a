"""Judgement into words: the verdict, the conditions and their reasons, the status' figures, the stored report, Events.

What is shown anywhere is made here from what was judged once.
"""

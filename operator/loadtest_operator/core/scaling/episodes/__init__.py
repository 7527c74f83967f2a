"""What went by step by step, as the status shows it: `scale_downs`, and of new pods `cold_starts`. In by both; what rises is
in `scale_ups` beside it, which expectations are judged by, too. It knows views, and nothing of runs.
"""

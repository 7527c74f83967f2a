"""Numbers: histograms that merge exactly, the tally of all workers, windows, sample sizes, and the report's figures.

It adds and summarises; whether a figure is good is not its business (judge). Workers' deltas come in, reports go out.
"""

"""A second, naive judge that has every request's true record, and plans against which both judges are played (`make oracle`).

Never Passed where the oracle says Violated or Unknown, never Failed where it says that a thing holds; Unknown where it decides in at most
5 % of the draws.
"""

"""Kinds of request at work: what each writes to a connection and how it reads the answer; the table names them all.

It stands between http (exchanges) and core.protocols (meaning). The executor and the probe take kinds from its table.
"""

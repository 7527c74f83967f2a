"""What an answer's bytes mean: server-sent events, and the messages of each protocol, without I/O.

Bytes in, meaning out; it keeps no clock and no request. The runtime's kinds feed it, stamp what it calls output,
and ask it what went wrong.
"""

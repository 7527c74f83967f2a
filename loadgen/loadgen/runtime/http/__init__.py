"""Sockets: the target's addresses, connections and their pool, the exchange that rides on them, and the aiohttp client.

It stamps times and reports what failed; what a request carries and what its answer means are the kinds' (next door).
"""

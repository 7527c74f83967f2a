"""The target: looked at, probed, and what is sent to it resolved. Reads only."""

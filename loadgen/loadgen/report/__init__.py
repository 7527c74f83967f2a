"""Floor 2: a report as people and programs read it. Pure: a `Report` in, text out; the command line writes it
somewhere. `html` is a room of its own.
"""

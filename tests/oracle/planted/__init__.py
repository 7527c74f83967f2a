"""A target, its autoscaler and its pods in virtual time, with one planted reason to fail (`python -m oracle --causes`).

`world` moves them: the autoscaler decides by the shadow of the real controller, and is read back from the object that
the API server would show. `plants` are the reasons, `tally` counts how often the one that was planted is named.
"""

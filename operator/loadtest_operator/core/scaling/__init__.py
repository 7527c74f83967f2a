"""The autoscaler: what was seen of the target over time, what it did, whether it did what was expected, and why not.

`target`, `autoscaler` and `workload` read objects; `timeline` keeps samples and gaps; `spans` answers questions about
them over time, three-valued; `load` reads the plan. On these stand `expectations` (with `reactions`), what keeps a
judgement from being one (`guards`), and `causes`. `metrics` reads what the autoscaler steers by, `shadow` is its
algorithm, `replay` plays a stored run again with it.
`episodes` takes apart what went by. `forecast` says what is known before any load. In by `figures`,
`forecast`, `timeline` and `replay`; it knows nothing of runs and changes nothing.
"""

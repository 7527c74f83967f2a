"""The delay proxy: a process of its own that stands before the target for a run.

`path` is its data path, `injections` the faults in force on it, `pulse` and `rest` what it measures of itself,
`control` its HTTP API, `main` the process. It may use the clock, the alarm and the HTTP guard of the worker's rooms; the
load's processes know nothing of it. The operator comes in by the control API (`loadgen.model.proxy`), load by the
data port.
"""

"""`kubectl loadtest`: a LoadTest from a terminal, for the person on call and for a pipeline.

`cli` composes, `following` waits, `kube` talks to the API server, `views` shows, `core` decides and is pure. Nothing is
remembered between two calls: the LoadTest is the state.

Two rules hold throughout. A verdict is only ever that of the run that was asked for, never one that happened to be there. And
what could not be found out ends in a sentence and in an exit code that is not 0.
"""

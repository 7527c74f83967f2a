"""Servers with a known truth for tests: the inference simulator in a process of its own, and servers that misbehave.

    from fakes import bad, simulators

    with bad.serve("garbage") as server:                       # a thread; fine from sync and async tests
        run(url=server.url)
    with simulators.running("--ttft-ms=100", "--tokens=20") as simulator:    # a process
        run(url=simulator.url); simulator.truth()

`fakes.fixtures` has the same as pytest fixtures: import the names in a conftest.
"""

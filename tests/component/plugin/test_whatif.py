"""`kubectl loadtest whatif`: a stored run, asked what its autoscaler would have done with other settings."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import msgspec

from component.plugin.api import Server
from component.plugin.conftest import Call
from loadgen.report import documents
from loadtest_operator.core.scaling.replay.course import Record
from loadtest_operator.core.scaling.timeline import Timeline
from unit.operator.replay_world import World
from unit.plugin.statuses import finished

Put = Callable[..., None]
ARTIFACT = [{"kind": "ConfigMap", "name": "chat-1-report"}]


@cache
def recorded() -> Record:
    return World().record()


def keeps(server: Server, put: Put, record: Record, **beside: object) -> None:
    """As the operator packs it."""
    whole = {
        "report": json.loads(documents.dump(record.report)),
        "timeline": msgspec.to_builtins(record.timeline),
        **beside,
    }
    put(finished(artifacts=ARTIFACT))
    server.keep("chat-1-report", gzip.compress(json.dumps(whole).encode(), mtime=0))


def test_what_would_have_been_stands_beside_what_was(call: Call, server: Server, put: Put) -> None:
    keeps(server, put, recorded())

    said = call("whatif", "chat", "--set", "max=3")

    assert said.code == 0, said.err
    assert "LoadTest demo/chat run 1: what if max=3" in said.out
    rows = {line[:24].strip(): line[24:].split() for line in said.out.splitlines() if line[:1] != "M"}
    assert rows["at most"][-1] == "3"
    happened, replayed, predicted = map(int, rows["replica-seconds"])
    assert abs(replayed - happened) <= 0.2 * happened
    assert predicted < happened
    assert "a replica answered 6 requests/s at most; a new one is ready after 20 s" in said.out
    assert "Metric cpu: " in said.out


def test_a_run_that_does_not_tell_ends_inconclusive(call: Call, server: Server, put: Put) -> None:
    keeps(server, put, replace(recorded(), timeline=Timeline()))

    said = call("whatif", "chat", "--set", "max=3")

    assert (said.code, said.out) == (3, "")
    assert "what would have been is not known: the stored run tells nothing of an autoscaler" in said.err


def test_a_run_with_faults_does_not_tell(call: Call, server: Server, put: Put) -> None:
    keeps(server, put, recorded(), faults=[{"name": "slow"}])

    assert "play a run without faults" in call("whatif", "chat").err


def test_a_setting_that_is_none_is_bad_input(call: Call, server: Server, put: Put) -> None:
    keeps(server, put, recorded())

    said = call("whatif", "chat", "--set", "maximum=3")

    assert said.code == 2
    assert "--set 'maximum' cannot be set: what can be is min, max, target, tolerance" in said.err


def test_a_timeline_of_another_release_says_so(call: Call, server: Server, put: Put) -> None:
    keeps(server, put, recorded(), timeline={"samples": "none"})

    said = call("whatif", "chat")

    assert said.code == 4
    assert "stored by another release" in said.err

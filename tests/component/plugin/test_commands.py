"""`kubectl loadtest` against an API server: exit codes, sentences, and what is written."""

from collections.abc import Callable
from pathlib import Path

import pytest

from component.plugin.api import Server
from component.plugin.conftest import Call
from kubectl_loadtest.cli import main
from loadtest_operator.core.common.kinds import LOAD_TEST
from unit.plugin.statuses import FIGURES, a_run, finished, past

Put = Callable[..., None]
File = Callable[..., str]
CODES = {"Passed": 0, "Failed": 1, "Inconclusive": 3, "Error": 4, "Aborted": 5}


@pytest.mark.parametrize(("verdict", "code"), CODES.items())
def test_watch_ends_with_the_verdict(verdict: str, code: int, call: Call, put: Put) -> None:
    """As an exit code, and on top of what is printed."""
    put(finished(2, verdict, summary=FIGURES))
    said = call("watch", "chat")
    assert said.code == code
    assert said.out.startswith(f"{verdict}  it {verdict}")
    assert "run 2" in said.out


def test_watch_follows_to_the_end(call: Call, put: Put, server: Server) -> None:
    """Line by line where there is no terminal, then the ending."""
    put(a_run(1, run={"currentStage": "peak", "progressPercent": 40}))
    server.script = [lambda _: None, lambda api: api.write_status(finished(1, "Failed"))]

    said = call("watch", "chat")

    assert said.code == 1
    assert said.out.splitlines()[0] == "[LoadTest demo/chat] run 1 · Running · stage peak · 40 % · in Running"
    assert "Failed  it Failed" in said.out


def test_run_creates_and_waits(call: Call, file: File, server: Server) -> None:
    """A LoadTest that is not there is made; its verdict is the exit code."""
    server.script = [lambda _: None, lambda api: api.write_status(finished(1, "Inconclusive"))]
    said = call("run", file(), "--wait")
    assert said.code == 3, said.err
    assert server.test()["spec"]["load"]["workers"] == 2


def test_run_never_shows_the_verdict_that_was_there(call: Call, file: File, put: Put, server: Server) -> None:
    """A second `run` of the same file is a second run, whatever the first one's end was."""
    put(finished(1, "Passed"))

    def second(api: Server) -> None:
        api.write_status(finished(2, "Failed", api.test()["spec"]["runToken"]))

    server.script = [*[lambda _: None] * 3, second]
    said = call("run", file(), "--wait")

    assert said.code == 1, said.err
    assert "Passed" not in said.out
    assert server.test()["spec"]["runToken"] != "1"


def test_run_takes_the_files_spec(call: Call, file: File, put: Put, server: Server) -> None:
    """What the file no longer says goes."""
    put(finished(), activeDeadlineSeconds=99)
    assert call("run", file(load={"workers": 3})).code == 0
    assert server.test()["spec"]["load"]["workers"] == 3
    assert "activeDeadlineSeconds" not in server.test()["spec"]


def test_the_server_is_asked_to_be_strict(call: Call, file: File, server: Server) -> None:
    """Else it drops a field that it does not know, and runs something else than the file says."""
    asked = []
    server.trouble = lambda request: asked.append((request.method, request.query.get("fieldValidation")))
    call("run", file())
    server.write_status(finished())
    call("rerun", "chat")
    assert {method for method, strict in asked if strict == "Strict"} == {"POST", "PATCH"}


def test_run_refuses_what_would_not_run(call: Call, file: File, server: Server) -> None:
    """Every problem, before anything is sent."""
    said = call("run", file(runTokn="2", faults=[{"name": "slow", "startInStage": "peek", "durationSeconds": 5}]))
    assert said.code == 2
    assert "spec.runTokn" in said.err
    assert server.log == []


def test_without_wait_it_says_how_to_follow(call: Call, file: File) -> None:
    """And the exit code only says that it was asked for."""
    said = call("run", file())
    assert said.code == 0
    assert "kubectl loadtest watch chat -n demo" in said.err


def test_rerun_writes_a_new_token(call: Call, put: Put, server: Server) -> None:
    """On the spec as it is."""
    put(finished(1))
    assert call("rerun", "chat").code == 0
    assert server.test()["spec"]["runToken"] not in ("", "1")


def test_rerun_loses_a_race_in_words(call: Call, put: Put, server: Server) -> None:
    """Somebody starts a run between our read and our write: the server refuses ours, and the second look says why."""
    put(finished(1))

    def somebody(api: Server) -> None:
        body = api.test()
        body["spec"] = {**body["spec"], "runToken": "theirs"}
        body["metadata"]["generation"] += 1

    seen = []

    def trouble(request: object) -> None:
        seen.append(request)
        if len(seen) == 2:
            somebody(server)

    server.trouble = trouble
    said = call("rerun", "chat")

    assert said.code == 2
    assert "the run after run 1 (not taken up by the operator yet)" in said.err
    assert server.test()["spec"]["runToken"] == "theirs"


def test_an_operators_write_is_no_race(call: Call, put: Put, server: Server) -> None:
    """The status changes all the time; only the spec counts."""
    put(finished(1))
    seen = []

    def trouble(request: object) -> None:
        seen.append(request)
        if len(seen) == 2:
            server.write_status(finished(1, message="cleaned up"))

    server.trouble = trouble
    assert call("rerun", "chat").code == 0


def test_a_rerun_meets_a_run_that_goes_on(call: Call, put: Put, server: Server) -> None:
    """It is refused, and nothing is written."""
    put(a_run(3))
    said = call("rerun", "loadtest/chat")
    assert said.code == 2
    assert "run 3 (Running)" in said.err
    assert {method for method, _ in server.log} == {"GET"}


def test_abort_is_written_once(call: Call, put: Put, server: Server) -> None:
    """And said the second time."""
    put(a_run())
    assert "is being aborted" in call("abort", "chat").out
    assert server.test()["spec"]["abort"] is True
    assert "already" in call("abort", "chat").out


def test_a_timeout_is_3_and_the_run_goes_on(call: Call, put: Put) -> None:
    """No verdict is not a verdict."""
    put(a_run())
    said = call("watch", "chat", "--timeout", "1s")
    assert said.code == 3
    assert "the run goes on" in said.err


def test_not_there(call: Call, server: Server, put: Put) -> None:
    """The names of those that are."""
    put(finished())
    said = call("watch", "chta")
    assert said.code == 2
    assert said.err == ("error: LoadTest chta is not in namespace demo: there are chat; -n chooses another namespace\n")


def test_not_there_and_the_others_are_not_to_be_seen(call: Call, server: Server) -> None:
    """Who may get but not list is told what he asked for."""
    server.trouble = lambda request: 403 if request.path.endswith("/loadtests") else None
    said = call("watch", "chat")
    assert said.code == 2
    assert "LoadTest chat is not in namespace demo: which others are there may not be listed" in said.err


def test_the_kubeconfigs_user_asks(call: Call, server: Server) -> None:
    """Every request has his token."""
    seen = []
    server.trouble = lambda request: seen.append(request.headers.get("Authorization"))
    call("watch", "chat")
    assert set(seen) == {"Bearer secret"}


def test_the_kind_is_not_installed(call: Call, server: Server) -> None:
    """What to install."""
    server.installed = False
    said = call("watch", "chat")
    assert said.code == 4
    assert "does not know LoadTests: install the operator's chart" in said.err


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (401, 4, "log in again"),
        (403, 2, "refuses"),
        (409, 4, "somebody else"),
        (429, 4, "try again"),
        (500, 4, "could not read LoadTest chat (500)"),
    ],
    ids=["credentials that ended", "admission", "a conflict", "too many requests", "a server that fails"],
)
def test_what_the_server_answers_is_a_sentence(status: int, code: int, said: str, call: Call, server: Server) -> None:
    """With the server's words in it, and an exit code that is no verdict of the target's."""
    server.trouble = lambda _: status
    found = call("rerun", "chat")
    assert found.code == code
    assert said in found.err
    assert "trouble on demand" in found.err


def test_no_permission_names_the_verbs(call: Call, server: Server, put: Put) -> None:
    """What to ask for."""
    server.refuse = 'loadtests.loadtest.dev "chat" is forbidden: User "me" cannot get resource "loadtests"'
    said = call("watch", "chat")
    assert said.code == 4
    assert "not allowed to read LoadTest chat" in said.err
    assert "get, list, create and patch on loadtests.loadtest.dev" in said.err


def test_nobody_answers(call: Call) -> None:
    """The address, the reason, the remedy."""
    said = call("watch", "chat", "--context", "nowhere")
    assert said.code == 4
    assert said.err.startswith("error: the cluster at http://127.0.0.1:1 does not answer (Connection refused): check")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("watch", "chat", "--context", "elsewhere"), "context 'elsewhere' is not in"),
        (("watch", "chat", "--kubeconfig", "/nowhere/config"), "there is no kubeconfig at /nowhere/config"),
        (("watch", "../../../api/v1/secrets/x"), "is no name of a LoadTest"),
        (("watch", "chat", "-n", "a/b"), "is no namespace"),
        (("watch", "chat", "--timeout", "soon"), "'soon' is no duration"),
        (("rerun", "chat", "--timeout", "1m"), "give --wait too"),
        (("run", "/nowhere/file.yaml"), "/nowhere/file.yaml cannot be read: No such file"),
        (("report",), "Missing argument"),
        (("explode",), "No such command"),
    ],
    ids=[
        "no such context",
        "no such kubeconfig",
        "a name that would be another path",
        "a namespace that would be another path",
        "no duration",
        "a timeout without waiting",
        "no such file",
        "no name",
        "no such command",
    ],
)
def test_what_was_typed_wrong_is_said(arguments: tuple[str, ...], said: str, call: Call, server: Server) -> None:
    """Exit code 2, one sentence, no request."""
    found = call(*arguments)
    assert found.code == 2
    assert said in found.err
    assert server.log == []


def test_a_kubeconfig_that_is_none(call: Call, tmp_path: Path) -> None:
    """Its path is in the sentence."""
    for text in ("[]", "a: [", "", "contexts: 5\ncurrent-context: x"):
        (tmp_path / "odd").write_text(text)
        said = call("watch", "chat", "--kubeconfig", str(tmp_path / "odd"))
        assert said.code == 2, said.err
        assert str(tmp_path / "odd") in said.err


def test_a_status_of_another_release_is_said(call: Call, put: Put) -> None:
    """Not guessed at."""
    put(finished(verdict="Splendid"))
    said = call("watch", "chat")
    assert said.code == 4
    assert "is of another release (status.verdict" in said.err


def test_texts_of_others_cannot_play_with_the_terminal(call: Call, put: Put) -> None:
    """An error word with a colour, a title bar or a turned direction in it is printed without effect."""
    put(finished(1, "Failed", message="\x1b[32mPassed\x1b[0m \x1b]0;x\x07 \u202e [bold]x[/bold] [/]"))
    said = call("watch", "chat")
    assert said.code == 1
    assert "\x1b" not in said.out
    assert "\u202e" not in said.out
    assert "[bold]x[/bold] [/]" in said.out


def test_lint_asks_the_cluster_too(call: Call, file: File, put: Put, server: Server) -> None:
    """A dry run: nothing is stored."""
    said = call("lint", file())
    assert said.code == 0, said.err
    assert "the cluster would take it in namespace demo" in said.out
    assert server.get(LOAD_TEST, "demo", "chat") is None
    put(finished())
    assert "would take it" in call("lint", file()).out
    assert server.test()["spec"].get("runToken", "1") == "1"


def test_lint_without_a_cluster_says_so(call: Call, file: File) -> None:
    """Right as far as it can be told."""
    said = call("lint", file(), "--context", "nowhere")
    assert said.code == 0
    assert "as far as it can be told without a cluster; not asked: the cluster at" in said.out


def test_lint_says_everything_that_is_wrong(call: Call, file: File, server: Server) -> None:
    """The generator's part and, where that is right, the operator's."""
    said = call("lint", file(load={"workers": "many"}, thresholds=[{"name": "x"}]))
    assert said.code == 2
    assert "spec.load.workers" in said.out
    assert "spec.thresholds[x]" in said.out
    said = call("lint", file(activeDeadlineSeconds=1))
    assert said.code == 2
    assert "activeDeadlineSeconds 1 is shorter" in said.out
    assert server.log == []


def test_what_the_server_refuses_is_not_right(call: Call, file: File, server: Server) -> None:
    """CEL, admission and quotas know more than the file."""
    server.trouble = lambda request: 422 if request.method == "POST" else None
    said = call("lint", file())
    assert said.code == 2
    assert "the API server does not take it: trouble on demand" in said.err


def test_names_are_completed(call: Call, put: Put, tmp_path: Path, server: Server) -> None:
    """From the cluster; where that does not answer there are none, and no error."""
    put(finished())
    config = str(tmp_path / "kubeconfig")
    said = call("__complete", "--", "watch", "--kubeconfig", config, "ch")
    assert said.out == "chat\n:4\n"
    said = call("__complete", "--", "watch", "--kubeconfig", config, "--context", "nowhere", "")
    assert (said.code, said.out, said.err) == (0, ":4\n", "")


def test_a_run_that_was_followed_by_another_still_has_its_verdict(call: Call, put: Put, server: Server) -> None:
    """Somebody was quick: what we waited for is in the history, and is said to be."""
    put(a_run(4))
    history = [past(4, "Aborted", "1", artifact="chat-4-report")]
    server.script = [lambda _: None, lambda api: api.write_status(a_run(5, token="2", history=history))]
    said = call("watch", "chat")
    assert said.code == 5
    assert said.out.splitlines()[-3] == "Aborted  it Aborted"
    assert "--run 4" in said.out


def test_what_holds_the_run_is_said(call: Call, file: File) -> None:
    """A suspended LoadTest waits, and so would whoever waits for it."""
    assert "spec.suspend holds it" in call("run", file(suspend=True)).err


def test_a_namespace_in_the_file_is_taken_unless_another_is_asked_for(
    call: Call, file: File, server: Server, tmp_path: Path
) -> None:
    """Both at once would apply it somewhere that one of them does not say."""
    path = Path(file())
    path.write_text(path.read_text().replace("name: chat", "name: chat\n  namespace: other", 1))
    assert "the file says namespace other, -n says demo" in call("run", str(path), "-n", "demo").err
    assert call("run", str(path)).code == 0
    assert server.get(LOAD_TEST, "other", "chat") is not None


def test_in_a_pod_without_a_service_account(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One sentence, as anywhere."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.setattr("sys.argv", ["kubectl loadtest", "watch", "chat"])
    assert main() == 2

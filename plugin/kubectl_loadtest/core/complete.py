"""Completion, as kubectl asks its plugins for it: a program `kubectl_complete-loadtest` gets the words so far and prints one
candidate a line (a tab, then its description) and at the end a colon with what the shell is to do. Pure; names come in.
"""

from collections.abc import Callable, Iterable, Sequence

FILES, NO_FILES = 0, 4
"""cobra's directives: the shell offers files, or it does not."""
COMMANDS = {
    "run": "apply a LoadTest from a file and run it",
    "watch": "follow a run",
    "sweep": "show a sweep's table of levels",
    "report": "show a stored report",
    "whatif": "ask what an autoscaler would have done with other settings",
    "rerun": "run a LoadTest again",
    "abort": "stop a run",
    "lint": "check a file",
    "completion": "print the program that kubectl asks for completions",
}
OF_FILES = ("run", "lint")
OF_NAMES = ("watch", "report", "whatif", "rerun", "abort")
OPTIONS = {
    "run": ("--wait", "--timeout"),
    "watch": ("--timeout",),
    "sweep": ("--wait", "--timeout"),
    "report": ("--run", "--html", "--json"),
    "whatif": ("--set", "--run"),
    "rerun": ("--wait", "--timeout"),
}
EVERYWHERE = ("--namespace", "--context", "--kubeconfig", "--help")
WITH_VALUE = ("-n", "--namespace", "--context", "--kubeconfig", "--timeout", "--run", "--html", "--set")
CONNECTION = (("--kubeconfig",), ("--context",), ("--namespace", "-n"))
"""The options that choose a cluster, in the order in which one is connected to."""
SCRIPT = """#!/bin/sh
# kubectl asks this program what may follow `kubectl loadtest`. Put it on the PATH as kubectl_complete-loadtest.
exec kubectl-loadtest __complete -- "$@"
"""


def complete(words: Sequence[str], names: Callable[[], Iterable[str]]) -> list[str]:
    """What kubectl is to be told; the last word is the one being written. `names` asks the cluster, only where it must."""
    *before, last = words or [""]
    if before and before[-1] in WITH_VALUE:
        return [f":{FILES if before[-1] in ('--html', '--kubeconfig') else NO_FILES}"]
    given = _positional(before)
    if last.startswith("-"):
        return _answer([*OPTIONS.get(given[0] if given else "", ()), *EVERYWHERE], last)
    if not given:
        return _answer((f"{command}\t{said}" for command, said in COMMANDS.items()), last)
    if given[0] in OF_FILES and len(given) == 1:
        return [f":{FILES}"]
    return _answer(sorted(names()) if given[0] in OF_NAMES and len(given) == 1 else (), last)


def value_of(words: Sequence[str], *options: str) -> str | None:
    """The value that one of these options has among the words."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        option, equals, value = word.partition("=")
        if option in options:
            return value if equals else following
    return None


def _positional(words: Sequence[str]) -> list[str]:
    found, skip = [], False
    for word in words:
        if not skip and not word.startswith("-"):
            found.append(word)
        skip = word in WITH_VALUE
    return found


def _answer(candidates: Iterable[str], last: str) -> list[str]:
    return [*(one for one in candidates if one.startswith(last)), f":{NO_FILES}"]

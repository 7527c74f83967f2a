"""KubeApi against a real HTTP server: what each answer becomes, pages, and what is safe to repeat."""

import pytest
from aiohttp import web

from fakes.kube import Cluster, Object, Trouble, connected
from loadtest_operator.adapters.errors import (
    AdapterError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    RetryableError,
)
from loadtest_operator.core.common.kinds import CONFIG_MAP, LOAD_TEST


def a_map(name: str = "it", **data: str) -> Object:
    return {"metadata": {"name": name, "namespace": "demo"}, "data": data}


def always(answer: int | str) -> Trouble:
    return lambda _request: answer


ANSWERS = {
    "a token that was just rotated": (401, RetryableError, True),
    "not allowed": (403, ForbiddenError, False),
    "not there": (404, NotFoundError, False),
    "changed meanwhile": (409, ConflictError, False),
    "not valid": (422, InvalidError, False),
    "too many requests": (429, RetryableError, True),
    "a bug over there": (500, RetryableError, True),
    "starting": (503, RetryableError, True),
    "no answer": ("hang", RetryableError, True),
    "a connection that breaks": ("reset", RetryableError, True),
}


@pytest.mark.parametrize(("answer", "kind", "retryable"), ANSWERS.values(), ids=ANSWERS)
async def test_every_answer_says_whether_to_try_again(
    answer: int | str, kind: type[AdapterError], retryable: bool
) -> None:
    async with connected(Cluster(trouble=always(answer)), seconds=0.3) as kube:
        with pytest.raises(kind, match="configmaps/it") as caught:
            await kube.merge_patch(CONFIG_MAP, "demo", "it", {"data": {}})

    assert caught.value.retryable is retryable


async def test_the_api_servers_own_words_are_kept() -> None:
    async with connected(Cluster(trouble=always(403))) as kube:
        with pytest.raises(ForbiddenError, match="trouble on demand"):
            await kube.list(CONFIG_MAP, "demo")


async def test_nobody_there_is_worth_another_try() -> None:
    async with connected(Cluster()) as kube:
        kube._configuration.host = "http://127.0.0.1:1"
        with pytest.raises(RetryableError, match="configmaps"):
            await kube.list(CONFIG_MAP, "demo")


async def test_what_is_not_there_is_nothing_and_deleting_it_is_fine() -> None:
    async with connected(Cluster()) as kube:
        assert await kube.get(CONFIG_MAP, "demo", "it") is None
        await kube.delete(CONFIG_MAP, "demo", "it")


async def test_of_two_writers_with_one_version_the_second_gets_a_conflict() -> None:
    async with connected(Cluster()) as kube:
        read = await kube.create(CONFIG_MAP, "demo", a_map())
        await kube.replace(CONFIG_MAP, "demo", "it", read)
        with pytest.raises(ConflictError, match="modified"):
            await kube.replace(CONFIG_MAP, "demo", "it", read)


async def test_status_is_apart_from_the_rest() -> None:
    cluster = Cluster()
    cluster.put(LOAD_TEST, {"metadata": {"name": "it", "namespace": "demo"}, "spec": {"runToken": "1"}})
    patch = {"spec": {"runToken": "2"}, "status": {"phase": "Running"}}
    async with connected(cluster) as kube:
        written = await kube.merge_patch(LOAD_TEST, "demo", "it", patch, "status")

    assert (written["spec"], written["status"]) == ({"runToken": "1"}, {"phase": "Running"})


async def test_a_long_list_comes_in_pages() -> None:
    async def pages(request: web.Request) -> web.StreamResponse:
        place = int(request.query.get("continue", "0"))
        more = {"continue": str(place + 1)} if place < 2 else {}
        return web.json_response({"items": [a_map(str(place))], "metadata": more})

    cluster = Cluster()
    cluster.answer = pages  # type: ignore[method-assign]
    async with connected(cluster) as kube:
        names = [item["metadata"]["name"] for item in await kube.list(CONFIG_MAP, "demo")]

    assert names == ["0", "1", "2"]


async def test_lists_are_selected_by_labels() -> None:
    cluster = Cluster()
    for name, run in (("one", "1"), ("two", "2")):
        cluster.put(CONFIG_MAP, {"metadata": {"name": name, "namespace": "demo", "labels": {"run": run}}})
    async with connected(cluster) as kube:
        found = await kube.list(CONFIG_MAP, None, labels="run=2")

    assert [item["metadata"]["name"] for item in found] == ["two"]


async def test_an_empty_list_of_metadata_is_a_list() -> None:
    """The API server writes null: an operator without any LoadTest ended of that."""
    async with connected(Cluster()) as kube:
        assert await kube.list(CONFIG_MAP, None, metadata_only=True) == []

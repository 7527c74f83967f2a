"""The API server, as far as a LoadTest needs it. Its answers become objects, or errors of `problems`, here and nowhere else."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from kubectl_loadtest.core.starting import Change
from kubectl_loadtest.kube.kubeconfig import Connection
from kubectl_loadtest.problems import (
    BadInputError,
    ChangedError,
    InvalidError,
    NotFoundError,
    PluginError,
    UnreachableError,
)
from loadtest_operator.core.common.kinds import CONFIG_MAP, LOAD_TEST, LOAD_TEST_SWEEP, Kind

Object = dict[str, Any]
TIMEOUTS = (5.0, 15.0)
"""Seconds to connect and to answer."""
INSTALL = "install the operator's chart, or its CRDs: `kubectl apply --server-side -f crds/`"
TRIES = 3
MANAGER = "kubectl-loadtest"


class Cluster:
    """LoadTests of one namespace."""

    def __init__(self, connection: Connection) -> None:
        self._client: Any = connection.client
        self._host = connection.host
        self.namespace = connection.namespace

    def find(self, name: str) -> Object | None:
        """The LoadTest, or nothing where there is none; an error where its kind is not installed."""
        try:
            return self._call("GET", LOAD_TEST, name, doing=f"read LoadTest {name}")
        except NotFoundError:
            self._require_kind()
            return None

    def get(self, name: str) -> Object:
        """The LoadTest. Raises NotFoundError with the names of those that are there."""
        found = self.find(name)
        if found is None:
            raise NotFoundError(self._who_is_there(name))
        return found

    def sweep(self, name: str) -> Object:
        """The LoadTestSweep. Raises NotFoundError where there is none, an error where its kind is not installed."""
        try:
            return self._call("GET", LOAD_TEST_SWEEP, name, doing=f"read LoadTestSweep {name}")
        except NotFoundError as error:
            self._require_kind()
            where = f"LoadTestSweep {name} is not in namespace {self.namespace}"
            raise NotFoundError(f"{where}: `kubectl get loadtestsweeps -A` lists them") from error

    def names(self) -> list[str]:
        """Names of the LoadTests in the namespace."""
        try:
            listed = self._call("GET", LOAD_TEST, doing="list LoadTests")
        except NotFoundError:
            self._require_kind()
            raise
        return [one["metadata"]["name"] for one in listed.get("items", [])]

    def create(self, body: Object, *, dry_run: bool = False) -> Object:
        """A new LoadTest as the server completes it. With `dry_run` nothing is stored."""
        try:
            return self._call("POST", LOAD_TEST, body=body, dry_run=dry_run, doing="create the LoadTest")
        except NotFoundError as error:
            self._require_kind()
            raise BadInputError(
                f"namespace {self.namespace} is not there ({error}): create it, or choose another with -n"
            ) from error

    def patch(self, name: str, steps: list[Object], *, dry_run: bool = False) -> Object:
        """The LoadTest after a JSON patch."""
        return self._call("PATCH", LOAD_TEST, name, body=steps, dry_run=dry_run, doing=f"change LoadTest {name}")

    def change(self, name: str, make: Callable[[Object], Change], *, dry_run: bool = False) -> tuple[Object, Change]:
        """Reads, decides, writes; decides anew where somebody else has written in between."""
        for _ in range(TRIES):
            live = self.get(name)
            change = make(live)
            if not change.steps:
                return live, change
            try:
                return self.patch(name, change.steps, dry_run=dry_run), change
            except InvalidError:
                # A test that failed is answered like a spec that is not valid.
                if _identity(self.get(name)) == _identity(live):
                    raise
        raise ChangedError(f"LoadTest {name} is changed by others all the time: {TRIES} tries were in vain; try again")

    def config_map(self, name: str) -> Object | None:
        """A ConfigMap, or nothing where there is none."""
        try:
            return self._call("GET", CONFIG_MAP, name, doing=f"read ConfigMap {name}")
        except NotFoundError:
            return None

    def _who_is_there(self, name: str) -> str:
        try:
            here = self.names()
        except PluginError:
            said = "which others are there may not be listed"
        else:
            said = f"there are {', '.join(sorted(here)[:8])}" if here else "there is no LoadTest in it"
        return f"LoadTest {name} is not in namespace {self.namespace}: {said}; -n chooses another namespace"

    def _require_kind(self) -> None:
        group = "/apis/" + LOAD_TEST.api_version
        try:
            self._send("GET", group, doing="read what the cluster serves")
        except NotFoundError as error:
            raise PluginError(f"the cluster at {self._host} does not know LoadTests: {INSTALL}") from error

    def _call(
        self, method: str, kind: Kind, name: str = "", *, doing: str, body: Any = None, dry_run: bool = False
    ) -> Object:
        query = [("dryRun", "All")] if dry_run else []
        if method != "GET":
            query += [("fieldManager", MANAGER), ("fieldValidation", "Strict")]
        return self._send(method, kind.path(self.namespace, name), doing=doing, body=body, query=query)

    def _send(
        self, method: str, path: str, *, doing: str, body: Any = None, query: list[tuple[str, str]] | None = None
    ) -> Object:
        content = "application/json-patch+json" if isinstance(body, list) else "application/json"
        headers = {"Accept": "application/json", "Content-Type": content}
        with self._translated(doing):
            request = self._client.param_serialize(
                method, path, query_params=query or [], header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            answer = self._client.call_api(*request, _request_timeout=TIMEOUTS)
            answer.read()
            found = _decoded(answer.data)
            if answer.status >= HTTPStatus.BAD_REQUEST:
                raise ApiException(
                    status=answer.status, reason=answer.reason, body=answer.data.decode("utf-8", "replace")
                )
            return found

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        try:
            yield
        except ApiException as error:
            raise self._of_status(int(error.status or 0), _message(error), doing) from error
        except (HTTPError, OSError) as error:
            raise self._no_answer(_cause(error)) from error

    def _no_answer(self, cause: str) -> PluginError:
        return UnreachableError(
            f"the cluster at {self._host} does not answer ({cause}): check the network with "
            "`kubectl cluster-info`, or choose another cluster with --context"
        )

    def _of_status(self, status: int, message: str, doing: str) -> PluginError:
        if not status:
            return self._no_answer(message)
        if status == HTTPStatus.FORBIDDEN and "cannot" in message:
            verbs = "get, list, create and patch on loadtests.loadtest.dev and get on configmaps"
            return PluginError(f"not allowed to {doing}: {message}; ask for {verbs} in namespace {self.namespace}")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
            return UnreachableError(f"the API server could not {doing} ({status}): {message}; try again")
        kind, words = BY_STATUS.get(status, (PluginError, "the API server refuses to {doing} ({status}): {message}"))
        return kind(words.format(doing=doing, status=status, message=message, host=self._host))


BY_STATUS: dict[int, tuple[type[PluginError], str]] = {
    400: (InvalidError, "the API server does not take it: {message}"),
    401: (PluginError, "the cluster at {host} does not accept your credentials: log in again ({message})"),
    403: (InvalidError, "the API server refuses to {doing}: {message}"),
    404: (NotFoundError, "{message}"),
    409: (ChangedError, "could not {doing}, since somebody else changed it meanwhile ({message}): try again"),
    422: (InvalidError, "the API server does not take it: {message}"),
}


def _identity(body: Object) -> tuple[Any, Any]:
    return body["metadata"]["uid"], body["metadata"]["generation"]


def _decoded(data: bytes) -> Object:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _message(error: ApiException) -> str:
    """The server's own sentence."""
    body = _decoded((error.body or "").encode())
    return str(body.get("message") or (error.body or "").strip()[:300] or error.reason)


def _cause(error: BaseException) -> str:
    """The innermost reason, which is the one that helps."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return _cause(reason)
    return re.sub(r"^.*: |\[Errno \d+\] ", "", str(error)) or type(error).__name__

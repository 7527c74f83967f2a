"""One active run per target: who has which target, for this operator (there is only one active, by its lease).

After a start, the LoadTests that were active before are read once, so that a pending one cannot slip in before
them.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.core import guard
from loadtest_operator.core.kinds import LOAD_TEST
from loadtest_operator.handlers.context import Context

Object = Mapping[str, Any]

ACTIVE = ("Preparing", "Running", "Settling", "Evaluating")


async def blocker(context: Context, body: Object, spec: LoadTestSpec | None) -> str:
    """Who has the target; nobody (and then we have it) if empty."""
    if spec is None or spec.suspend or spec.abort:
        return ""
    await _load(context)
    metadata = body["metadata"]
    owner = context.claims.setdefault(guard.target_key(spec, metadata["namespace"]), _who(metadata))
    return "" if owner == _who(metadata) else owner.rpartition("/")[0]


def release(context: Context, metadata: Object) -> None:
    """A run is over or its LoadTest is gone."""
    for target in [target for target, owner in context.claims.items() if owner == _who(metadata)]:
        del context.claims[target]


def _who(metadata: Object) -> str:
    return f"{metadata['namespace']}/{metadata['name']}/{metadata['uid']}"


async def _load(context: Context) -> None:
    if context.claims_loaded:
        return
    found = []
    for namespace in context.settings.watch_namespaces or (None,):
        found += await context.kube.list(LOAD_TEST, namespace)
    for body in found:
        _claim(context, body)
    context.claims_loaded = True


def _claim(context: Context, body: Object) -> None:
    if (body.get("status") or {}).get("phase") not in ACTIVE:
        return
    try:
        spec = LoadTestSpec.model_validate(body["spec"])
    except ValidationError:
        return
    context.claims.setdefault(guard.target_key(spec, body["metadata"]["namespace"]), _who(body["metadata"]))

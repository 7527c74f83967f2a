"""What a LoadTest refers to, read from the API server: for the probe, and so that what is missing is said before any pod.

A Secret's value would be sent to whatever target a LoadTest names. So that who may create LoadTests but not read Secrets
cannot read them this way, a Secret is only used for authorization where its owner has labelled it for that.
"""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from loadgen.core.prompts.material import check, proof, wanted
from loadgen.model.errors import InvalidPlanError
from loadgen.model.references import Holder, KeyReference, Material, Reference
from loadtest_operator.adapters.kube.api import KubeApi
from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.core.common.kinds import CONFIG_MAP, SECRET

Object = Mapping[str, Any]
KINDS = {Holder.CONFIG_MAP: CONFIG_MAP, Holder.SECRET: SECRET}
LABEL, ALLOWED = "loadtest.dev/authorization", "true"


@dataclass(frozen=True, slots=True)
class Found:
    """What is there, and what is wrong with it. Of `lacking` and `unusable` one sentence each, or nothing."""

    material: Material = field(default_factory=dict, repr=False)
    lacking: str = ""
    unusable: str = ""


async def read(kube: KubeApi, namespace: str, spec: LoadTestSpec) -> Found:
    """Each object once. Raises AdapterError."""
    plan, access = spec.plan, spec.target.access
    references = wanted(plan, access)
    keys = {(one.to.holder, one.to.name) for one in references}
    objects = {key: await kube.get(KINDS[key[0]], namespace, key[1]) for key in sorted(keys)}
    material: dict[str, bytes] = {}
    lacking = []
    for one in references:
        thing = objects[one.to.holder, one.to.name]
        content = _content(thing, one.to.key) if thing is not None else None
        if thing is None or content is None:
            lacking.append(_absent(one, namespace, thing))
        elif one == proof(access) and not _released(thing):
            lacking.append(_not_released(one))
        else:
            material[one.to.path] = content
    if lacking:
        return Found(lacking="; ".join(lacking))
    try:
        await asyncio.to_thread(check, plan, access, material)
    except InvalidPlanError as error:
        return Found(unusable="; ".join(f"spec.{problem}" for problem in error.problems))
    return Found(material)


def _content(thing: Object, key: str) -> bytes | None:
    """Bytes of a key: Secrets and binaryData are in Base64."""
    data, binary = thing.get("data") or {}, thing.get("binaryData") or {}
    if key in binary:
        return base64.b64decode(binary[key])
    if key not in data:
        return None
    text: str = data[key]
    return base64.b64decode(text) if thing.get("kind") == SECRET.kind else text.encode()


def _absent(one: Reference, namespace: str, thing: Object | None) -> str:
    to = one.to
    if thing is None:
        return f"spec.{one.field}: there is no {to.holder} {to.name} in {namespace}: {_create(to)}"
    if to.holder is Holder.SECRET and not _released(thing):
        return (
            f"spec.{one.field}: Secret {to.name} has no key {to.key}"  # the names of the others are nobody's business
        )
    keys = sorted({**(thing.get("data") or {}), **(thing.get("binaryData") or {})})
    return f"spec.{one.field}: {to.holder} {to.name} has no key {to.key}, only {', '.join(keys)[:200] or 'none at all'}"


def _released(thing: Object) -> bool:
    return (thing["metadata"].get("labels") or {}).get(LABEL) == ALLOWED


def _create(to: KeyReference) -> str:
    kind = "secret generic" if to.holder is Holder.SECRET else "configmap"
    return f"kubectl create {kind} {to.name} --from-file={to.key}=FILE"


def _not_released(one: Reference) -> str:
    return (
        f"spec.{one.field}: Secret {one.to.name} is not released for load tests: "
        f"kubectl label secret {one.to.name} {LABEL}={ALLOWED}"
    )

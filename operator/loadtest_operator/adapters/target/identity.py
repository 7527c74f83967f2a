"""What a LoadTest would load, as one name that is equal for all that would load the same: the workload, whatever its Services
are called.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from loadtest_operator.adapters.errors import ForbiddenError
from loadtest_operator.adapters.kube.api import KubeApi
from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.core.common.kinds import POD, SERVICE, WORKLOADS

Object = Mapping[str, Any]
MOST_OWNERS = 4


async def identity(kube: KubeApi, spec: LoadTestSpec, namespace: str) -> str:
    """Where no pod tells its owner: what selects them; where nothing can be known: the Service's name. Raises AdapterError."""
    reference = spec.target.service_ref
    if reference is None:
        return _origin(str(spec.target.url))
    where = reference.namespace or namespace
    try:
        service = await kube.get(SERVICE, where, reference.name)
        return await _behind(kube, where, service) or f"{where}/Service/{reference.name}"
    except ForbiddenError:  # it is said when the run looks at its target
        return f"{where}/Service/{reference.name}"


async def _behind(kube: KubeApi, where: str, service: Object | None) -> str:
    selector = ((service or {}).get("spec") or {}).get("selector")
    if not selector:
        return ""
    labels = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    for pod in await kube.list(POD, where, labels=labels):
        if owner := await _owner(kube, where, pod):
            return f"{where}/{owner}"
    return f"{where}/pods with {labels}"


async def _owner(kube: KubeApi, where: str, thing: Object | None) -> str:
    """What owns it in the end, as far as it can be followed."""
    found = ""
    for _ in range(MOST_OWNERS):
        controller = _controller(thing) if thing else None
        if controller is None:
            break
        found = f"{controller['kind']}/{controller['name']}"
        kind = WORKLOADS.get(controller["kind"])
        thing = await kube.get(kind, where, controller["name"]) if kind else None
    return found


def _controller(thing: Object) -> Object | None:
    owners = thing["metadata"].get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), None)


def _origin(url: str) -> str:
    """Two paths of one server are one target."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower()}"

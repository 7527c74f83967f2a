"""What the administrator allows: a LoadTest is a load generator aimed by whoever may create one.

By default only Services in the LoadTest's own namespace. The worker template needs no rule here: the API has only
harmless fields (`api.worker`).
"""

from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.core.common.settings import Settings


def refusals(spec: LoadTestSpec, namespace: str, settings: Settings) -> tuple[str, ...]:
    """A sentence for each thing that is not allowed."""
    reference = spec.target.service_ref
    if reference is None:
        return _url(spec, settings)
    wanted = reference.namespace or namespace
    if wanted == namespace or wanted in settings.allowed_target_namespaces or "*" in settings.allowed_target_namespaces:
        return ()
    return (
        f"spec.target.serviceRef.namespace {wanted!r} is not allowed: use a Service in {namespace!r}, or ask the "
        "administrator to add the namespace to the operator's allowedTargetNamespaces",
    )


def _url(spec: LoadTestSpec, settings: Settings) -> tuple[str, ...]:
    if settings.allow_urls:
        return ()
    return (
        f"spec.target.url {spec.target.url!r} is not allowed: use serviceRef, or ask the administrator to set the "
        "operator's allowUrls",
    )


def target_key(spec: LoadTestSpec, namespace: str) -> str:
    """Equal for two LoadTests that load the same target."""
    reference = spec.target.service_ref
    return f"{reference.namespace or namespace}/{reference.name}" if reference else str(spec.target.url)

"""kopf's settings and login. What kopf would do by default and we do not want is turned off here."""

import logging
from collections.abc import Iterable
from typing import Any, cast

import kopf

from loadtest_operator.api.meta import FINALIZER, GROUP


class NoDiffBase(kopf.DiffBaseStorage):
    """kopf would keep each object's whole spec in an annotation, to find changes by; annotations may have 256 KiB, and
    a spec can have more. No handler here is about changes, so nothing is kept.
    """

    def build(self, *, body: kopf.Body, extra_fields: Iterable[Any] | None = None) -> kopf.BodyEssence:
        return cast(kopf.BodyEssence, {})

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        return cast(kopf.BodyEssence, {})

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        return


def operator_settings(*, namespaced: bool) -> kopf.OperatorSettings:
    """See research part C5: bounded watches, our own names, Events only when we say so."""
    settings = kopf.OperatorSettings()
    settings.posting.level = logging.WARNING
    settings.posting.loggers = False
    settings.watching.server_timeout = 600
    settings.watching.client_timeout = 660
    settings.watching.connect_timeout = 10
    settings.watching.chunk_size = 500
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.networking.error_backoffs = (1, 1, 2, 3, 5, 8, 13)
    settings.execution.default_backoff = 5
    settings.background.cancellation_polling = 5
    settings.peering.standalone = True
    settings.scanning.disabled = namespaced
    settings.persistence.finalizer = FINALIZER
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=f"operator.{GROUP}")
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.process.ultimate_exiting_timeout = 60
    return settings


def register(registry: kopf.OperatorRegistry) -> None:
    """Login without a Kubernetes client library: kopf reads the service account or the kubeconfig itself."""

    @kopf.on.login(registry=registry)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

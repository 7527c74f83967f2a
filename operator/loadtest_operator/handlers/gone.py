"""LoadTests that are gone: nothing of them stays in memory, in a queue or among the metrics.

The watch tells of a deletion, but not of one that happened while it was broken: when it lists again, the LoadTest is only
missing. So now and then what is known is compared with what is there.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from loadtest_operator.adapters.errors import AdapterError
from loadtest_operator.core.common.kinds import LOAD_TEST
from loadtest_operator.handlers import janitor
from loadtest_operator.handlers.context import Context
from loadtest_operator.handlers.run import turns

log = logging.getLogger(__name__)

Object = Mapping[str, Any]
EVERY_SECONDS = 300.0


def forget(context: Context, metadata: Object) -> None:
    """This LoadTest is gone; one of the same name may be there."""
    turns.release(context, metadata)
    context.forget(metadata["uid"])
    context.known.pop(metadata["uid"], None)
    place = (metadata["namespace"], metadata["name"])
    if place not in context.known.values():
        janitor.forget(context, metadata)
        context.metrics.forget(*place)


async def keep_looking(context: Context) -> None:
    """For ever."""
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        try:
            await compare(context)
        except AdapterError as error:
            log.warning("what is gone could not be found out: %s", error)


async def compare(context: Context) -> None:
    """Forget what was known before the question and is not in the answer."""
    known = dict(context.known)
    there = set()
    for namespace in context.settings.watch_namespaces or (None,):
        there |= {body["metadata"]["uid"] for body in await context.kube.list(LOAD_TEST, namespace, metadata_only=True)}
    for uid, (namespace, name) in known.items():
        if uid not in there:
            log.info("%s/%s is gone, and nobody told", namespace, name)
            forget(context, {"uid": uid, "namespace": namespace, "name": name})

"""The composition root: settings → clients → kopf. `python -m loadtest_operator`; with `uninstall`: the last thing before the
operator is taken out."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence

import kopf

from loadtest_operator.adapters.kube.api import KubeApi
from loadtest_operator.adapters.kube.lease import Leadership
from loadtest_operator.adapters.metrics import health
from loadtest_operator.adapters.metrics.health import Heart
from loadtest_operator.adapters.metrics.runs import Metrics
from loadtest_operator.adapters.target.probe import Prober
from loadtest_operator.adapters.workers.control import ControlClient
from loadtest_operator.adapters.workers.sessions import pod_session
from loadtest_operator.core.common import settings
from loadtest_operator.core.common.settings import Settings, SettingsError
from loadtest_operator.core.run.leadership import GIVE_UP_SECONDS
from loadtest_operator.handlers import gone, janitor, loadtest, orphans, schedule, startup, sweep, uninstall
from loadtest_operator.handlers.context import Context

BAD_USE, BAD_SETTINGS, LEASE_LOST, NOT_UNDONE = 64, 2, 3, 4


BESIDE_KOPF = (janitor.keep_tidy, gone.keep_looking, orphans.keep_sweeping)


class BackgroundError(Exception):
    """Something ended that never should."""


def main(arguments: Sequence[str] = ()) -> int:
    """Run until SIGTERM; or `uninstall`."""
    if arguments not in ((), ("uninstall",)):
        print(f"{' '.join(arguments)!r} is no command: write nothing (the operator) or uninstall", file=sys.stderr)
        return BAD_USE
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in ("kopf", "aiohttp.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        chosen = settings.read(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return BAD_SETTINGS
    return asyncio.run(leave(chosen) if arguments else run(chosen))


@contextlib.asynccontextmanager
async def wired(chosen: Settings) -> AsyncIterator[Context]:
    """The operator's hands and eyes."""
    kube = await KubeApi.connect()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(kube.close)
        session = await stack.enter_async_context(pod_session())
        yield Context(
            kube=kube,
            control=ControlClient(session, kube, chosen.worker_access),
            prober=Prober(session, kube, chosen.worker_access),
            settings=chosen,
            metrics=Metrics(),
        )


async def run(chosen: Settings) -> int:
    """Everything, until SIGTERM."""
    async with wired(chosen) as context, contextlib.AsyncExitStack() as stack:
        metrics, heart = context.metrics, Heart(context.metrics.lag.set)
        beating = asyncio.create_task(heart.beat(), name="heart")
        stack.callback(beating.cancel)
        for served in (await metrics.serve(chosen.metrics_port), await health.serve(chosen.probe_port, heart)):
            stack.push_async_callback(served.cleanup)
        await lead(context)
    return 0


async def leave(chosen: Settings) -> int:
    """Before the operator is taken out: as its last leader end all runs. The lease is not given back, so that whoever waits for
    it is taken out first; where this fails, it goes on in the end."""
    async with wired(chosen) as context:
        leadership = candidate(context)
        await leadership.take_over()
        context.kube.fence = leadership.check
        holding = asyncio.create_task(leadership.hold(), name="lease")
        await asyncio.sleep(GIVE_UP_SECONDS)
        problems = await uninstall.uninstall(context)
        holding.cancel()
    print(*(problems or ["nothing keeps an object any more"]), sep="\n")
    return NOT_UNDONE if problems else 0


async def lead(context: Context) -> None:
    """Act only while the lease is ours. Without LEASE_NAMESPACE (on a laptop) nobody else is expected."""
    chosen = context.settings
    if not chosen.lease_namespace:
        await operate(context)
        return
    leadership = candidate(context)
    if not await leads(leadership):
        return
    context.kube.fence = leadership.check
    acting = asyncio.create_task(operate(context), name="operator")
    holding = asyncio.create_task(leadership.hold(), name="lease")
    await asyncio.wait({acting, holding}, return_when=asyncio.FIRST_COMPLETED)
    if holding.done():
        # Not gracefully: whatever we are in the middle of must not go on beside the next leader.
        logging.getLogger(__name__).critical("exiting: %s", holding.exception())
        os._exit(LEASE_LOST)
    holding.cancel()
    await leadership.release()
    await acting


async def leads(leadership: Leadership) -> bool:
    """Wait for it. False: told to end before. The first process of a container is not ended by SIGTERM unless it says how."""
    loop, waiting = asyncio.get_running_loop(), asyncio.create_task(leadership.acquire(), name="candidate")
    loop.add_signal_handler(signal.SIGTERM, waiting.cancel)
    try:
        await waiting
    except asyncio.CancelledError:
        return False
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
    return True


def candidate(context: Context) -> Leadership:
    """For the administrator's lease."""
    chosen = context.settings
    return Leadership(context.kube, chosen.lease_namespace, chosen.lease_name, identity(chosen), context.clock)


def identity(chosen: Settings) -> str:
    """Of this process: the pod's name, or the host's."""
    return chosen.identity or f"{socket.gethostname()}-{os.getpid()}"


async def operate(context: Context) -> None:
    """kopf and what runs beside it for ever; whoever ends first ends the others. Raises BackgroundError where that was not kopf:
    then the process must end, for nobody would notice that nothing is tidied up any more."""
    context.metrics.leading.set(1)
    registry = kopf.OperatorRegistry()
    startup.register(registry)
    loadtest.register(registry, context)
    schedule.register(registry, context)
    sweep.register(registry, context)
    chosen = context.settings
    stop = asyncio.Event()
    beside = [asyncio.create_task(each(context), name=each.__module__) for each in BESIDE_KOPF]
    for task in beside:
        task.add_done_callback(lambda _: stop.set())
    try:
        await kopf.operator(
            registry=registry,
            # By itself kopf asks for the user's name, and a container's user need not have one.
            identity=identity(chosen),  # type: ignore[arg-type]  # a NewType that kopf does not export
            settings=startup.operator_settings(namespaced=bool(chosen.watch_namespaces)),
            standalone=True,
            clusterwide=not chosen.watch_namespaces,
            namespaces=chosen.watch_namespaces,
            stop_flag=stop,
        )
    finally:
        for task in beside:
            task.cancel()
        ends = await asyncio.gather(*beside, return_exceptions=True)
    for end in ends:
        if not isinstance(end, asyncio.CancelledError):
            raise BackgroundError(f"what runs beside kopf has ended: {end}") from (end if end else None)


if __name__ == "__main__":
    sys.exit(main(tuple(sys.argv[1:])))

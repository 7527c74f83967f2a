"""What the autoscaler steers by, asked of the metrics APIs as it asks them; reads only, bounded in time and size.

Those APIs are other people's programs and may take their time, which must not make looking at the target slow: they are
asked in the background, and a look takes what was read last.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from loadtest_operator.adapters.errors import AdapterError, ForbiddenError, NotFoundError
from loadtest_operator.adapters.kube.api import KubeApi
from loadtest_operator.core.common.kinds import POD
from loadtest_operator.core.common.paced import Paced
from loadtest_operator.core.scaling.metrics import readings
from loadtest_operator.core.scaling.metrics.questions import SERVED_BY, VERSIONS, Question, plural_of, question_of
from loadtest_operator.core.scaling.metrics.readings import Answer, Lack, Reading
from loadtest_operator.core.scaling.shadow.sight import Sight
from loadtest_operator.core.scaling.workload import Workload

Object = Mapping[str, Any]
METER_SECONDS: Final = 5.0
"""The controller reads every 15 s, by default; metrics change as often at most."""
PATIENCE: Final = 10.0
"""Seconds. The controller would soon sync again."""
MOST_BYTES: Final = 4 * 1024 * 1024
"""Of an answer: the usage of some 10 000 pods."""
VERSION_SECONDS, KINDS_SECONDS = 60.0, 60.0


class Meter:
    """Of one run."""

    def __init__(self) -> None:
        self._reading: asyncio.Task[tuple[Reading, ...]] | None = None
        self._asked: datetime | None = None
        self._known = Paced()
        self._newest: tuple[Reading, ...] = ()

    def newest(
        self, kube: KubeApi, where: str, hpa: Object | None, workload: Workload | None, now: datetime
    ) -> tuple[Reading, ...]:
        """What was read last; begins to read again when that is old. Nothing without an autoscaler of this workload."""
        if hpa is None or workload is None or not hpa["spec"].get("metrics"):
            self._newest = ()
            return ()
        if self._reading is not None and self._reading.done():
            done, self._reading = self._reading, None
            self._newest = self._newest if done.cancelled() else done.result()
        if self._reading is None and self._is_old(now):
            self._asked = now
            asking = _Asking(kube, where, hpa["spec"], workload, self._known, now)
            self._reading = asyncio.create_task(asking.read(), name=f"metrics of {workload} in {where}")
        return self._newest

    def _is_old(self, now: datetime) -> bool:
        return self._asked is None or not 0 <= (now - self._asked).total_seconds() < METER_SECONDS

    async def settled(self) -> None:
        """When what is being read has been."""
        if self._reading is not None:
            await asyncio.wait({self._reading})

    def end(self) -> None:
        """Nothing of it goes on."""
        if self._reading is not None:
            self._reading.cancel()


class _Asking:
    """One reading of all metrics. Never raises an AdapterError: that there is no answer is one."""

    def __init__(
        self, kube: KubeApi, where: str, spec: Object, workload: Workload, known: Paced, now: datetime
    ) -> None:
        self.kube, self.where, self.spec, self.workload, self.known, self.now = kube, where, spec, workload, known, now

    async def read(self) -> tuple[Reading, ...]:
        metrics = self.spec["metrics"]
        seen, found = await asyncio.gather(self._sight(), asyncio.gather(*map(self._answer, metrics)))
        return tuple(self._reading(metric, answer, seen) for metric, answer in zip(metrics, found, strict=True))

    def _reading(self, metric: Object, answer: Answer, seen: Sight | Answer) -> Reading:
        if isinstance(seen, Answer):
            answer = seen if answer.body is not None else answer
            seen = Sight(self.workload.replicas, 0)
        return readings.reading_of(self.spec, metric, answer, seen, self.now.timestamp())

    async def _sight(self) -> Sight | Answer:
        """The pods that the autoscaler counts: the workload's, which need not be the Service's."""
        try:
            selector = self.workload.selector
            pods = await self.kube.list(POD, self.where, labels=selector) if selector else []
            return readings.sight_of(pods, self.workload.replicas, self.workload.counted)
        except AdapterError as error:
            return _refused("the pods of the workload", error)
        except (KeyError, TypeError, ValueError) as error:
            return Answer(lack=Lack.NO_VALUE, why=f"a pod of the workload is none: {error}")

    async def _answer(self, metric: Object) -> Answer:
        try:
            question = question_of(metric, self.workload.selector)
        except (ValueError, KeyError, TypeError) as error:
            return Answer(
                lack=Lack.NO_VALUE, why=f"the autoscaler's spec asks for no metric that there can be: {error}"
            )
        try:
            return await self._asked(question)
        except AdapterError as error:
            return _refused(f"{'/'.join(question.steps)} of {question.group} in namespace {self.where}", error)

    async def _asked(self, question: Question) -> Answer:
        served = await self.known.ask(
            question.group, VERSION_SECONDS, self.now, lambda: self.kube.versions(question.group)
        )
        version = next((found for found in VERSIONS[question.group] if found in served), None)
        if version is None:
            self.known.forget(question.group)
            why = f"no {question.group} is served in the cluster: install {SERVED_BY[question.group]}"
            return Answer(lack=Lack.ABSENT, why=why)
        plural = await self._plural(question)
        if question.about and not plural:
            return Answer(lack=Lack.ABSENT, why=f"there is no kind {question.about[1]} in {question.about[0]}")
        path = question.path(version, self.where, plural)
        return Answer(await self.kube.read(path, dict(question.query), most=MOST_BYTES, seconds=PATIENCE))

    async def _plural(self, question: Question) -> str:
        if question.about is None:
            return ""
        api_version, kind = question.about
        resources = await self.known.ask(
            f"kinds of {api_version}", KINDS_SECONDS, self.now, lambda: self.kube.resources(api_version)
        )
        return plural_of(resources, api_version, kind)


def _refused(what: str, error: AdapterError) -> Answer:
    if isinstance(error, ForbiddenError):
        return Answer(lack=Lack.FORBIDDEN, why=f"the operator may not read {what}: grant it to its role ({error})")
    if isinstance(error, NotFoundError):
        return Answer(lack=Lack.ABSENT, why=f"there is no {what} ({error})")
    return Answer(lack=Lack.NO_ANSWER, why=str(error))

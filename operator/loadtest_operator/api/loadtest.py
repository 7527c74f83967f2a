"""LoadTest, the desired execution: where to (target), what (the plan of loadgen.model), what should happen meanwhile.

`LoadTestSpec` *is* a `Plan` and more, so that requests, load and thresholds exist once and mean the same on a laptop.
Every rule between fields stands twice: as a validator here (command line, operator) and as a CEL rule in `cel.py`
(API server); a contract test feeds both the same bad objects.
"""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from loadgen.model.access import Access, refuse_twice_given
from loadgen.model.base import Model, require_exactly_one
from loadgen.model.plan import Plan, Stage
from loadgen.model.requests import Name, Request
from loadtest_operator.api.faults import MOST_OCCURRENCES, WELL_SECONDS, Fault
from loadtest_operator.api.meta import (
    API_VERSION,
    Namespace,
    ObjectMeta,
    ObjectName,
    Port,
    Seconds,
    SecondsOrNone,
    some,
    unique_names,
)
from loadtest_operator.api.status import LoadTestStatus
from loadtest_operator.api.worker import WorkerTemplate

LARGEST_TEXTS = 65536
"""Of all requests together: the spec is kept in annotations, a ConfigMap and etcd, all of which are small."""
GROUP_VERSION, KIND = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[0-9]+((alpha|beta)[0-9]+)?$", r"^[A-Z][A-Za-z0-9]*$"
URL = r"^https?://([A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[!-\"$->@-~]*)?$"
"""Everything of it is ASCII, and stands in a request line as it is: no user, no query, no space."""
Replicas = Annotated[int, Field(ge=0, le=10_000)]


class ServiceReference(Model):
    """A port of a Service."""

    name: ObjectName
    """Name of the Service."""
    port: Port
    """Port of the Service: its name, such as http, or its number."""
    namespace: Namespace | None = None
    """Namespace of the Service. Default: the LoadTest's own; another one only where the administrator allows it."""
    scheme: Literal["HTTP", "HTTPS"] = "HTTP"
    """What the port speaks. Default HTTP."""


class WorkloadReference(Model):
    """What runs the target's pods."""

    api_version: Annotated[str, Field(pattern=GROUP_VERSION, min_length=1, max_length=128)] = "apps/v1"
    """API group and version. Default apps/v1."""
    kind: Annotated[str, Field(pattern=KIND, min_length=1, max_length=64)] = "Deployment"
    """Kind of the workload. Default Deployment."""
    name: ObjectName
    """Name of the workload, in the target's namespace."""


class Readiness(Model):
    """When the target counts as ready for load."""

    min_ready_replicas: Annotated[int, Field(ge=0, le=10_000)] = 1
    """Ready endpoints that the Service needs before the load starts. Default 1."""
    timeout_seconds: Seconds = 600
    """Seconds to wait for them; after that the run ends with verdict Inconclusive. Default 600."""


class Target(Access):
    """The service under test: exactly one of serviceRef and url."""

    service_ref: ServiceReference | None = None
    """A Service in the cluster."""
    url: Annotated[str, Field(pattern=URL, max_length=512)] | None = None
    """Such as http://chat.example:8000, a base path may follow; only where the administrator allows URLs."""
    workload_ref: WorkloadReference | None = None
    """What runs the target's pods: any kind with a scale subresource. Default: found through the Service's pods. Not with url."""
    readiness: Readiness = Readiness()
    """When the target counts as ready. Default: one ready endpoint within 600 s."""

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        return require_exactly_one(self, "service_ref", "url")

    @model_validator(mode="after")
    def _tls_is_spoken(self) -> Self:
        if self.tls is not None and not self.secure:
            raise ValueError("tls needs a target on https: set serviceRef.scheme: HTTPS, or a url with https://")
        return self

    @model_validator(mode="after")
    def _a_url_has_no_workload(self) -> Self:
        if self.url is not None and self.workload_ref is not None:
            raise ValueError(
                f"workloadRef {self.workload_ref.kind}/{self.workload_ref.name} does not go with url: what runs behind a "
                "URL cannot be watched; use serviceRef, or leave workloadRef out"
            )
        return self

    @property
    def secure(self) -> bool:
        """Whether TLS is spoken."""
        return self.service_ref.scheme == "HTTPS" if self.service_ref else str(self.url).startswith("https:")

    @property
    def access(self) -> Access:
        """How it is talked to."""
        return Access(authorization=self.authorization, tls=self.tls)


class AutoscalerReference(Model):
    """The autoscaler to observe; it is never changed."""

    kind: Literal["HorizontalPodAutoscaler"] = "HorizontalPodAutoscaler"
    """Kind of the autoscaler. Default HorizontalPodAutoscaler."""
    name: ObjectName
    """Name of the autoscaler, in the target's namespace."""


class ScaleUp(Model):
    """The target grows in time."""

    to_at_least: Annotated[int, Field(ge=1, le=10_000)]
    """Ready replicas that must be reached: more than there were when the load rose."""
    within_seconds: Seconds
    """Seconds from the beginning of fromStage in which they must be reached."""
    from_stage: Name
    """Name of a stage in load.stages in which the load rises, or that holds what a ramp before it has reached."""


class ScaleDown(Model):
    """The target shrinks in time."""

    to_at_most: Replicas
    """Replicas that the target must come down to from more, as the autoscaler and the workload's spec ask for them."""
    within_seconds: Seconds
    """Seconds from the beginning of fromStage in which it must come down."""
    from_stage: Name
    """Name of a stage in load.stages."""


class ReactionTime(Model):
    """From a step of the load to the first new replica that serves."""

    max_seconds: Seconds
    """Largest time from any step of the load to the first new replica that serves after it, in seconds. A step that nothing follows
    is judged too; further scale-ups of a step are not."""


class Flapping(Model):
    """The number of replicas does not swing up and down."""

    max_direction_changes: Annotated[int, Field(ge=0, le=1000)]
    """How often the wanted number of replicas may turn from growing to shrinking or back."""


class Expectation(Model):
    """What the autoscaler should do: exactly one of scaleUp, scaleDown, reactionTime and flapping."""

    name: Name
    """Name in the results."""
    scale_up: ScaleUp | None = None
    """The target grows in time."""
    scale_down: ScaleDown | None = None
    """The target shrinks in time."""
    reaction_time: ReactionTime | None = None
    """A new replica serves soon enough after a step of the load."""
    flapping: Flapping | None = None
    """The number of replicas does not swing."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        return require_exactly_one(self, "scale_up", "scale_down", "reaction_time", "flapping")

    @property
    def from_stage(self) -> str | None:
        """The stage that the expectation counts from, if it names one."""
        scale = self.scale_up or self.scale_down
        return scale.from_stage if scale else None


class Scaling(Model):
    """The autoscaler to observe and what it should do."""

    autoscaler_ref: AutoscalerReference | None = None
    """The autoscaler. Default: the one that scales the target's workload."""
    settle_seconds: SecondsOrNone = 0
    """Seconds to go on watching after the last request. Default 0."""
    expectations: Annotated[tuple[Expectation, ...], Field(max_length=16)] = ()
    """What the autoscaler should do; one that is not met fails the run."""


class ConfigMapArtifact(Model):
    """The report, compressed, in a ConfigMap beside the LoadTest."""


class Artifact(Model):
    """Where the whole report is stored."""

    config_map: ConfigMapArtifact = ConfigMapArtifact()
    """In a ConfigMap beside the LoadTest, compressed."""


class Results(Model):
    """What stays after a run."""

    artifact: Artifact = Artifact()
    """Where the whole report is stored. Default: in a ConfigMap."""
    keep_runs: Annotated[int, Field(ge=0, le=10)] = 10
    """How many earlier runs stay in status.history, with their reports. Default 10, which is the most."""


class LoadTestSpec(Plan):
    """What to run, against what, and what should happen."""

    run_token: Annotated[str, Field(min_length=1, max_length=128)] = "1"  # noqa: S105 - no password
    """Change it to run again; applying the same again does nothing. Default "1"."""
    suspend: bool = False
    """Hold the start of the run. May be changed at any time. Default false."""
    abort: bool = False
    """Stop now; the verdict is Aborted. May be changed at any time. Default false."""
    active_deadline_seconds: Annotated[int, Field(ge=1, le=604_800)] = 3600
    """Seconds from the start of the run after which it is ended, whatever happens. Default 3600."""
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=31_536_000)] = 86400
    """Seconds after which a finished run's Job, Secret and plan go; the results stay. Default 86400."""
    target: Target
    """The service under test."""
    scaling: Scaling | None = None
    """The autoscaler to observe and what it should do. Default: observe the one on the target's workload, if any."""
    faults: Annotated[tuple[Fault, ...], Field(max_length=8)] = ()
    """Faults, each for a window of the run; windows may adjoin and overlap."""
    results: Results = Results()
    """What stays after a run."""
    worker_template: WorkerTemplate = WorkerTemplate()
    """Where and how the worker pods run."""

    @property
    def plan(self) -> Plan:
        """The part that a worker runs."""
        return Plan(requests=self.requests, load=self.load, thresholds=self.thresholds, defaults=self.defaults)

    @property
    def occurrences(self) -> tuple[Fault, ...]:
        """Each time that a fault comes, as a fault of its own: what a run knows and its results name."""
        return tuple(one for fault in self.faults for one in fault.occurrences)

    def stage_start(self, name: str) -> int:
        """Seconds from the load's start to the beginning of a stage."""
        names = [stage.name for stage in self.load.stages]
        return sum(stage.duration_seconds for stage in self.load.stages[: names.index(name)])

    def fault_window(self, fault: Fault) -> range:
        """Seconds since the load's start in which a fault is to be active."""
        start = self.stage_start(fault.start_in_stage) + fault.start_after_seconds
        return range(start, start + fault.duration_seconds)

    @model_validator(mode="after")
    def _texts_fit(self) -> Self:
        size = sum(len(text) for request in self.requests for text in _texts(request))
        if size > LARGEST_TEXTS:
            raise ValueError(
                f"requests: bodies, headers and prompts have {size} characters together; at most {LARGEST_TEXTS}"
            )
        return self

    @model_validator(mode="after")
    def _headers_are_set_once(self) -> Self:
        refuse_twice_given(self.target, self.requests)
        return self

    @model_validator(mode="after")
    def _expectations_refer_to_stages(self) -> Self:
        expectations = self.scaling.expectations if self.scaling else ()
        unique_names(expectations, "scaling.expectations")
        for expectation in expectations:
            if expectation.from_stage is not None:
                self._stage(expectation.from_stage, f"scaling.expectations[{expectation.name}].fromStage")
        return self

    @model_validator(mode="after")
    def _faults_fit(self) -> Self:
        unique_names(self.faults, "faults")
        for fault in self.faults:
            self._check_fault(fault)
        if len(self.occurrences) > MOST_OCCURRENCES:
            raise ValueError(
                f"faults: with what is repeated they come {len(self.occurrences)} times together; at most {MOST_OCCURRENCES}: "
                "lower repeat.times"
            )
        unique_names(self.occurrences, "faults, with those that repeat makes,")
        return self

    @model_validator(mode="after")
    def _ends_before_the_deadline(self) -> Self:
        needed = self.load.duration_seconds + (self.scaling.settle_seconds if self.scaling else 0)
        if self.active_deadline_seconds < needed:
            raise ValueError(
                f"activeDeadlineSeconds {self.active_deadline_seconds} is shorter than the stages and "
                f"scaling.settleSeconds together ({needed} s)"
            )
        return self

    @model_validator(mode="after")
    def _a_url_is_not_scaled(self) -> Self:
        scaling = self.scaling
        if self.target.url is not None and scaling is not None and (scaling.autoscaler_ref or scaling.expectations):
            raise ValueError(
                "scaling.autoscalerRef and scaling.expectations do not go with target.url: what runs behind a URL cannot be "
                "watched; use target.serviceRef, or leave scaling out"
            )
        return self

    def _stage(self, name: str, where: str) -> Stage:
        stages = {stage.name: stage for stage in self.load.stages}
        if name not in stages:
            raise ValueError(f"{where} {name!r} is no stage: one of {some(stages)}")
        return stages[name]

    def _check_fault_of_requests(self, fault: Fault, where: str) -> None:
        if fault.by_request is None:
            return
        names = [request.name for request in self.requests]
        if fault.by_request.request not in (None, *names):
            raise ValueError(f"{where}.request {fault.by_request.request!r} is no request: one of {some(names)}")
        if self.target.secure:
            raise ValueError(
                f"{where} must read requests, which TLS hides: use networkPartition, networkLoss or networkDelay"
            )

    def _check_fault(self, fault: Fault) -> None:
        where = f"faults[{fault.name}]"
        if fault.pod_kill is not None and self.target.url is not None:
            raise ValueError(
                f"{where}.podKill does not go with target.url: nobody knows the pods behind a URL; use target.serviceRef"
            )
        self._check_fault_of_requests(fault, f"{where}.{to_camel(fault.kind)}")
        stage = self._stage(fault.start_in_stage, f"{where}.startInStage")
        if fault.start_after_seconds >= stage.duration_seconds:
            raise ValueError(
                f"{where}.startAfterSeconds {fault.start_after_seconds} is past the end of stage {stage.name} "
                f"(durationSeconds {stage.duration_seconds})"
            )
        last = fault.occurrences[-1]
        late = self.fault_window(last).stop - self.load.duration_seconds
        if late > 0 and fault.repeat is not None:
            raise ValueError(
                f"{where}.repeat does not fit: the last of {fault.repeat.times} would end {late} s after the last stage; lower times or "
                "everySeconds, or lengthen the last stage"
            )
        if late > 0:
            raise ValueError(
                f"{where}.durationSeconds {fault.duration_seconds} does not fit: the fault would end {late} s after "
                f"the last stage; at most {fault.duration_seconds - late}"
            )
        within = fault.recover_within_seconds
        if within is not None and within + WELL_SECONDS > -late:
            raise ValueError(
                f"{where}.recoverWithinSeconds {within} does not fit: {within + WELL_SECONDS} s of load must follow the fault, which has "
                f"{-late}; lengthen the last stage, or ask for less"
            )


def _texts(request: Request) -> tuple[str, ...]:
    """Whatever a user wrote into a request that may be long."""
    http, prompt = request.http, request.prompt
    inputs = request.gradio.data if request.gradio else ""
    text = (prompt.text or "") if prompt else ""
    return (text, inputs, *((http.body or "", *http.headers.values()) if http else ()))


class LoadTest(Model):
    """One desired execution of a load test, with a verdict."""

    model_config = ConfigDict(extra="ignore")

    api_version: Literal["loadtest.dev/v1alpha1"] = API_VERSION
    kind: Literal["LoadTest"] = "LoadTest"
    metadata: ObjectMeta = ObjectMeta()
    spec: LoadTestSpec
    """What to run, against what, and what should happen."""
    status: LoadTestStatus = LoadTestStatus()
    """What happened."""

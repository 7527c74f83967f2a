"""Rules between fields as CEL, for the API server. Each one stands beside its twin among the pydantic validators.

The table maps a model to its rules, a subclass inherits them, and `structural.py` puts them where the model is embedded:
the generator's models stay free of Kubernetes. A message names the field and what would be right; where that needs
the values, `expression` computes it and `message` is what the reference page shows. CEL is priced by the worst
case: every list and text it touches has a bound, and lists of lists are only walked where the product stays small.
"""

from typing import Any

from loadgen.model import access, plan, prompts, references, requests, sendable
from loadgen.model.base import Model
from loadtest_operator.api import faults, loadtest, schedule, sweep_rules, worker
from loadtest_operator.api.rule import Rule, each, exactly_one, harmless, quoted, unchanged, within_timeout

NO_STAGE = "' is no stage: must be the name of a stage in load.stages'"
LEFT = (
    "self.load.stages.filter(s, names.indexOf(s.name) >= names.indexOf(f.startInStage))"
    ".map(s, s.durationSeconds).sum() - f.startAfterSeconds"
    " - (has(f.repeat) ? f.repeat.everySeconds * (f.repeat.times - 1) : 0)"
)
"""Seconds from the start of fault f, the last time that it comes, to the end of the load."""
NEEDED = "self.load.stages.map(s, s.durationSeconds).sum() + (has(self.scaling) ? self.scaling.settleSeconds : 0)"
WITH_STATISTIC = quoted([metric.value for metric in plan.WITH_STATISTIC])
RESERVED = quoted([*plan.RESERVED_NAMES])
STATISTICS = ", ".join(plan.Statistic)

CRITERION = Rule(
    f"(self.metric in {WITH_STATISTIC}) == has(self.statistic)",
    f"statistic is required for latencies (one of {STATISTICS}) and not allowed for the other metrics",
    f"has(self.statistic) ? 'statistic does not apply to ' + self.metric + ': leave it out' "
    f": 'statistic is required for ' + self.metric + ': one of {STATISTICS}'",
)

SPEED = Rule(
    f"self.metric != '{plan.Metric.OUTPUT_TOKENS_PER_SECOND_PER_USER}' || !has(self.statistic) "
    "|| !(self.statistic in ['Mean', 'Max'])",
    "statistics Mean and Max do not apply to OutputTokensPerSecondPerUser: use a percentile",
    field=".statistic",
)

THRESHOLD_REQUEST = each(
    "thresholds",
    "t",
    "has(t.request) && !self.requests.exists(r, r.name == t.request)",
    "'thresholds[' + t.name + '].request ' + t.request + ' is no request: must be the name of a request in requests'",
    "thresholds[].request must be the name of a request in requests",
)
THRESHOLD_STAGES = each(
    "thresholds",
    "t",
    "has(t.stages) && !t.stages.all(name, name in names)",
    f"'thresholds[' + t.name + '].stages: ' + t.stages.map(name, !(name in names), name + {NO_STAGE})[0]",
    "thresholds[].stages must be names of stages in load.stages",
)
FAULT_STAGE = each(
    "faults",
    "f",
    "!(f.startInStage in names)",
    f"'faults[' + f.name + '].startInStage ' + f.startInStage + {NO_STAGE}",
    "faults[].startInStage must be the name of a stage in load.stages",
)
FAULT_START = each(
    "faults",
    "f",
    "self.load.stages.exists(s, s.name == f.startInStage && f.startAfterSeconds >= s.durationSeconds)",
    "'faults[' + f.name + '].startAfterSeconds is past the end of its stage: must be less than durationSeconds of "
    "stage ' + f.startInStage",
    "faults[].startAfterSeconds must be less than durationSeconds of its stage",
)
ASKED_OF = "has(f.httpAbort) && has(f.httpAbort.request) ? f.httpAbort.request : f.httpDelay.request"
FAULT_REQUEST = each(
    "faults",
    "f",
    "(has(f.httpAbort) && has(f.httpAbort.request) || has(f.httpDelay) && has(f.httpDelay.request)) "
    f"&& !self.requests.exists(r, r.name == ({ASKED_OF}))",
    f"'faults[' + f.name + ']: request ' + ({ASKED_OF}) + ' is no request: must be the name of a request in requests'",
    "request of a fault must be the name of a request in requests",
)
FAULT_READS = Rule(
    "!has(self.faults) || !self.faults.exists(f, has(f.httpAbort) || has(f.httpDelay)) || (has(self.target.serviceRef) "
    "? self.target.serviceRef.scheme != 'HTTPS' : !self.target.url.startsWith('https:'))",
    "httpAbort and httpDelay must read requests, which TLS hides: use networkPartition, networkLoss or networkDelay",
    field=".faults",
)
FAULT_KILLS = Rule(
    "!has(self.target.url) || !has(self.faults) || !self.faults.exists(f, has(f.podKill))",
    "podKill does not go with target.url: nobody knows the pods behind a URL; use target.serviceRef",
    field=".faults",
)
FAULT_RECOVERS = each(
    "faults",
    "f",
    f"has(f.recoverWithinSeconds) && f.durationSeconds + f.recoverWithinSeconds + {faults.WELL_SECONDS} > {LEFT}",
    "'faults[' + f.name + '].recoverWithinSeconds does not fit: so many seconds of load, and "
    f"{faults.WELL_SECONDS} more, must follow the fault'",
    f"recoverWithinSeconds of a fault and {faults.WELL_SECONDS} s more must fit between its end and that of the last stage",
)
FAULT_TIMES = Rule(
    f"!has(self.faults) || self.faults.map(f, has(f.repeat) ? f.repeat.times : 1).sum() <= {faults.MOST_OCCURRENCES}",
    f"faults: with what is repeated they come at most {faults.MOST_OCCURRENCES} times together: lower repeat.times",
    field=".faults",
)
PERCENT = Rule(
    "type(self.percent) == int ? self.percent > 0 && self.percent <= 100 "
    ": double(self.percent) > 0.0 && double(self.percent) <= 100.0",
    'percent: use more than 0 and at most 100, such as "0.5"',
    field=".percent",
)
FAULT_FITS = each(
    "faults",
    "f",
    f"f.durationSeconds > {LEFT}",
    "'faults[' + f.name + '].durationSeconds does not fit: the fault must end before the last stage does'",
    "a fault must end before the last stage does",
)
FROM_STAGE = "(has(e.scaleUp) ? e.scaleUp.fromStage : has(e.scaleDown) ? e.scaleDown.fromStage : '')"
EXPECTATION_STAGES = each(
    "scaling.expectations",
    "e",
    f"(has(e.scaleUp) || has(e.scaleDown)) && !({FROM_STAGE} in names)",
    f"'scaling.expectations[' + e.name + '].fromStage ' + {FROM_STAGE} + {NO_STAGE}",
    "scaling.expectations[].fromStage must be the name of a stage in load.stages",
)

HEADER = "has(self.target.authorization.header) ? self.target.authorization.header.name.lowerAscii() : 'authorization'"
HEADERS_ONCE = Rule(
    f"!has(self.target.authorization) || [{HEADER}].all(name, self.requests.all(r, !has(r.http) || !has(r.http.headers) "
    "|| !r.http.headers.exists(key, key.lowerAscii() == name)))",
    "requests[].http.headers must not have the header that target.authorization sets from a Secret",
    field=".requests",
)
ASKED = {str(requests.Request.model_fields[name].alias): asked for name, asked in requests.PROTOCOLS.items()}
"""What may be asked, by its name in the CRD."""
FAULT_KINDS = [str(faults.Fault.model_fields[kind].alias) for kind in faults.FAULT_KINDS]
TEXTS = (
    "self.requests.map(r, "
    + "".join(
        f"(has(r.{one}) && has(r.{one}.prompt) && has(r.{one}.prompt.text) ? r.{one}.prompt.text.size() : 0) + "
        for one, asked in ASKED.items()
        if "prompt" in asked.model_fields
    )
    + "(has(r.gradio) ? r.gradio.data.size() : 0) "
    "+ (has(r.http) && has(r.http.body) ? r.http.body.size() : 0) "
    "+ (has(r.http) && has(r.http.headers) ? r.http.headers.map(key, r.http.headers[key].size()).sum() : 0)).sum()"
)

CRON_FIELDS = r"^\s*\S+(\s+\S+){4}\s*$"
FIVE_FIELDS = Rule(
    f"self.schedule.matches(r'{CRON_FIELDS}')",
    "schedule: write five cron fields, minute, hour, day of the month, month, day of the week, such as '0 3 * * *'; words such as "
    "@hourly are not known (that is '0 * * * *')",
    field=".schedule",
)

RULES: dict[type[Model], tuple[Rule, ...]] = {
    requests.ExpectBody: (exactly_one("contains", "matches"),),
    references.FromEither: (exactly_one("configMapKeyRef", "secretKeyRef"),),
    access.HeaderFromSecret: (
        Rule(
            f"!(self.name.lowerAscii() in {quoted([*access.RESERVED_HEADERS])})",
            "this header is written by the generator itself: name the header that takes the key",
            field=".name",
        ),
    ),
    access.Authorization: (exactly_one("bearer", "basic", "header"),),
    access.Tls: (
        Rule(
            "has(self.ca) || has(self.serverName)",
            "set ca, serverName or both, or leave tls out: then the system's authorities are trusted",
        ),
    ),
    requests.Http: (
        Rule(
            f"!has(self.headers) || !self.headers.exists(key, key.lowerAscii() in {quoted([*sendable.OWN_HEADERS])})",
            f"headers {', '.join(sendable.OWN_HEADERS)} are written by the generator itself: leave them out",
            field=".headers",
        ),
        Rule(
            f'!has(self.headers) || self.headers.all(key, key.matches(r"{sendable.HEADER_NAME}"))',
            "a header's name has letters, digits and any of !#$%&'*+-.^_`|~ only",
            field=".headers",
        ),
        Rule("!(has(self.body) && has(self.bodyFrom))", "set body or bodyFrom, not both"),
        Rule(
            "!(self.method == 'HEAD' && has(self.expectBody))",
            "expectBody does not go with HEAD: its answers have no body",
            field=".expectBody",
        ),
    ),
    requests.OpenAIChat: (
        Rule(
            "!(has(self.maxTokens) && has(self.maxCompletionTokens))",
            "set maxTokens or maxCompletionTokens, not both: they are two names of one bound",
        ),
        Rule(
            "self.turns == 1 || !has(self.prompt.jsonl)",
            "turns does not go with prompt.jsonl: the prompt of every turn is a text or synthetic",
            field=".turns",
        ),
    ),
    requests.Gradio: (
        Rule(
            "(self.protocol == 'QueueJoin') == has(self.fnIndex) && (self.protocol == 'QueueJoin') != has(self.apiName)",
            "set apiName for protocols Queue and Predict, fnIndex for protocol QueueJoin",
            "'protocol ' + self.protocol + ' takes the function as ' + (self.protocol == 'QueueJoin' "
            "? 'fnIndex: set it, and leave apiName out' : 'apiName: set it, and leave fnIndex out')",
        ),
        Rule(
            "self.data.trim().startsWith('[') && self.data.trim().endsWith(']')",
            "data is no JSON array: write the inputs in brackets",
            field=".data",
        ),
        Rule(
            "!has(self.prompt) || self.data.contains('{prompt}')",
            'prompt has no place in data: write "{prompt}" where it belongs',
            field=".prompt",
        ),
        Rule(
            "has(self.prompt) || !self.data.contains('{prompt}')",
            "data holds {prompt}: set prompt, which says what stands in for it",
            field=".data",
        ),
    ),
    prompts.Prompt: (
        exactly_one("text", "synthetic", "jsonl"),
        Rule(
            "has(self.text) || !self.cacheBust",
            "cacheBust is for a text: synthetic prompts and those of a file differ already, leave it out",
            field=".cacheBust",
        ),
    ),
    requests.Request: (
        exactly_one(*ASKED),
        *(within_timeout(field) for field in ("firstByteTimeoutSeconds", "stallTimeoutSeconds")),
        Rule("!(has(self.weight) && has(self.ratePerSecond))", "set weight or ratePerSecond, not both"),
    ),
    plan.Load: (
        Rule(
            "self.client != 'Compatible' || !has(self.connections) "
            "|| !(has(self.connections.maxAgeSeconds) || has(self.connections.maxRequests))",
            "connections does not go with client Compatible: leave it out, or use client Native",
            field=".connections",
        ),
        Rule(
            "self.maxInFlight >= self.workers",
            "maxInFlight is less than workers: a worker without a share of it can start nothing; raise it, or use fewer workers",
            field=".maxInFlight",
        ),
    ),
    plan.Stage: (
        exactly_one("arrivalRate", "concurrency"),
        Rule(
            "self.rampSeconds <= self.durationSeconds",
            "rampSeconds must not be longer than durationSeconds",
            field=".rampSeconds",
        ),
    ),
    plan.Criterion: (CRITERION, SPEED),
    plan.Threshold: (
        Rule(
            f"!(self.name in {RESERVED})",
            f"{' and '.join(plan.RESERVED_NAMES)} are the names of what is judged by default: choose another",
            field=".name",
        ),
    ),
    loadtest.Target: (
        exactly_one("serviceRef", "url"),
        Rule(
            "!has(self.tls) || (has(self.serviceRef) ? self.serviceRef.scheme == 'HTTPS' "
            ": has(self.url) && self.url.startsWith('https:'))",
            "tls needs a target on https: set serviceRef.scheme: HTTPS, or a url with https://",
            field=".tls",
        ),
        Rule(
            "!has(self.url) || !has(self.workloadRef)",
            "workloadRef does not go with url: what runs behind a URL cannot be watched; use serviceRef, or leave "
            "workloadRef out",
            field=".workloadRef",
        ),
    ),
    loadtest.Expectation: (exactly_one("scaleUp", "scaleDown", "reactionTime", "flapping"),),
    faults.NetworkDelay: (
        Rule(
            "self.jitterMilliseconds <= self.latencyMilliseconds",
            "jitterMilliseconds must not be more than latencyMilliseconds: a delay cannot be negative",
            field=".jitterMilliseconds",
        ),
        Rule(
            "self.correlationPercent == 0 || self.jitterMilliseconds > 0",
            "correlationPercent needs jitterMilliseconds: without it every delay is the same",
            field=".correlationPercent",
        ),
    ),
    faults.Fault: (
        exactly_one(*FAULT_KINDS),
        Rule(
            "!has(self.repeat) || self.repeat.everySeconds > self.durationSeconds",
            "everySeconds must be more than durationSeconds of the fault: one ends before the next begins",
            field=".repeat",
        ),
        Rule(
            "!has(self.repeat) || !has(self.recoverWithinSeconds) "
            f"|| self.recoverWithinSeconds + {faults.WELL_SECONDS} <= self.repeat.everySeconds - self.durationSeconds",
            f"recoverWithinSeconds can never be seen to hold: it and {faults.WELL_SECONDS} s more must pass before the fault comes "
            "again; raise repeat.everySeconds",
            field=".recoverWithinSeconds",
        ),
    ),
    faults.PodKill: (exactly_one("count", "percent"),),
    faults.NetworkLoss: (PERCENT,),
    faults.ByRequest: (PERCENT,),
    worker.WorkerTemplate: (
        harmless("labels", worker.HARMLESS_LABELS),
        harmless("annotations", worker.HARMLESS_ANNOTATIONS),
        Rule(
            "!has(self.priorityClassName) || !self.priorityClassName.startsWith('system-')",
            "the system's priority classes are for what runs the cluster: use another",
            field=".priorityClassName",
        ),
    ),
    worker.Resources: tuple(
        Rule(
            f"!has(self.{side}) || self.{side}.all(key, key in {quoted([*worker.RESOURCES])})",
            f"{side} can only have {', '.join(worker.RESOURCES)}",
            field=f".{side}",
        )
        for side in ("requests", "limits")
    ),
    worker.Toleration: (
        Rule("has(self.key) || self.operator == 'Exists'", "set a key, or operator: Exists for every taint"),
        Rule("self.operator != 'Exists' || !has(self.value)", "value does not go with operator Exists: leave it out"),
        Rule(
            "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            "tolerationSeconds is for effect NoExecute: set that effect, or leave tolerationSeconds out",
        ),
    ),
    schedule.LoadTestScheduleSpec: (FIVE_FIELDS,),
    **sweep_rules.RULES,
    loadtest.LoadTestSpec: (
        Rule(
            "self.requests.exists(r, !has(r.ratePerSecond))",
            "requests: at least one needs a weight; all of them have ratePerSecond",
            field=".requests",
        ),
        Rule(
            f"{TEXTS} <= {loadtest.LARGEST_TEXTS}",
            f"requests: bodies, headers and prompts may have {loadtest.LARGEST_TEXTS} characters together",
            field=".requests",
        ),
        HEADERS_ONCE,
        THRESHOLD_REQUEST,
        THRESHOLD_STAGES,
        EXPECTATION_STAGES,
        Rule(
            "!has(self.target.url) || !has(self.scaling) || !(has(self.scaling.autoscalerRef) "
            "|| has(self.scaling.expectations) && self.scaling.expectations.size() > 0)",
            "scaling.autoscalerRef and scaling.expectations do not go with target.url: what runs behind a URL cannot be "
            "watched; use target.serviceRef, or leave scaling out",
            field=".scaling",
        ),
        FAULT_STAGE,
        FAULT_REQUEST,
        FAULT_READS,
        FAULT_KILLS,
        FAULT_START,
        FAULT_FITS,
        FAULT_RECOVERS,
        FAULT_TIMES,
        Rule(
            f"self.activeDeadlineSeconds >= {NEEDED}",
            "activeDeadlineSeconds must not be shorter than the stages and scaling.settleSeconds together",
            field=".activeDeadlineSeconds",
        ),
    ),
}

IMMUTABLE = (
    unchanged("target"),
    unchanged("requests"),
    unchanged("load"),
    unchanged("thresholds", optional=True),
    unchanged("defaults"),
    unchanged("scaling", optional=True),
    unchanged("faults", optional=True),
    unchanged("results"),
    unchanged("workerTemplate", optional=True),
    unchanged("activeDeadlineSeconds"),
)
"""On the spec of a LoadTest only: the template of a schedule may change at any time."""

ONE_RUN_AT_A_TIME = Rule(
    "self.spec.runToken == oldSelf.spec.runToken || !has(self.status) || !has(self.status.phase) "
    "|| self.status.phase in ['Pending', 'Finished']",
    "runToken cannot change while a run is active: wait until it is finished, or set abort: true first",
    "'runToken cannot change while a run is active (phase ' + self.status.phase + '): wait until it is '"
    "+ 'finished, or set abort: true first'",
    field=".spec.runToken",
)


def rules_of(model: type[Any]) -> list[dict[str, Any]]:
    """The rules of a model and of what it inherits from."""
    return [rule.to_json() for base in model.__mro__ for rule in RULES.get(base, ())]

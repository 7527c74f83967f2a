"""The four dashboards: one run live, capacity over time, the autoscaler's episodes, the operator itself.

Every query is one that Prometheus can answer from our own series (docs/reference/metrics.md); a test holds the names, another
asks a real Prometheus after real runs. No query turns what is not known into a zero.
"""

from collections.abc import Mapping

from panels import Object, Panel, Query, Row, bars, board, chosen, lines, number, regions, states, steps

RUN = 'namespace="$namespace",loadtest="$loadtest",run=~"$run"'
TESTS = 'namespace=~"$namespace",loadtest=~"$loadtest"'
ONE_RUN = (
    chosen("namespace", "label_values(loadtest_run_info, namespace)"),
    chosen("loadtest", 'label_values(loadtest_run_info{namespace="$namespace"}, loadtest)'),
    chosen("run", 'label_values(loadtest_run_info{namespace="$namespace",loadtest="$loadtest"}, run)', several=True),
)
MANY_TESTS = (
    chosen("namespace", "label_values(loadtest_run_info, namespace)", several=True),
    chosen("loadtest", 'label_values(loadtest_run_info{namespace=~"$namespace"}, loadtest)', several=True),
)
FINISHED = f"and on (namespace, loadtest, run) (loadtest_verdict{{{TESTS}}} == 1)"
"""Figures of runs that have a verdict: those of a run that goes on are not its result."""
REGIONS = (
    regions("Stages", f"loadtest_stage_info{{{RUN}}}", "stage {{stage}}", "blue"),
    regions("Faults", f'loadtest_faults{{{RUN},result="InForce"}} > 0', "a fault in force", "red"),
)
SHARE = {"min": 0, "max": 1}


def percentiles(title: str, description: str, series: str) -> Panel:
    """Of a histogram, over all workers."""

    def at(quantile: float) -> Query:
        rate = f"rate({series}_bucket{{{RUN}}}[$__rate_interval])"
        return Query(f"histogram_quantile({quantile}, sum by (le) ({rate}))", f"P{quantile * 100:.0f}")

    return lines(
        title, f"{description} From coarse buckets: the report has it exactly.", "s", *map(at, (0.5, 0.95, 0.99))
    )


def rate(series: str, by: str = "") -> str:
    """Per second, over all workers."""
    return f"sum {f'by ({by}) ' if by else ''}(rate({series}{{{RUN}}}[$__rate_interval]))"


REPLICAS = steps(
    "Replicas of the target",
    "What the autoscaler wanted, and the pods that were in the Service's endpoints.",
    "short",
    Query(f"loadtest_target_replicas{{{RUN}}}", "{{kind}}"),
    min=0,
)


def one_run() -> Object:
    now = Row(
        4,
        [
            number("Phase", "Where the run is.", "short", Query(f"loadtest_run_info{{{RUN}}}", "{{phase}}"), name=True),
            number("Stage", "The stage that the load is in; none outside the load.", "short",
                   Query(f"loadtest_stage_info{{{RUN}}}", "{{stage}}"), name=True),
            number("Progress", "How much of the load is over.", "percentunit", Query(f"loadtest_progress_ratio{{{RUN}}}"), **SHARE),
            number("Errors", "Share of the planned requests that went wrong so far.", "percentunit",
                   Query(f"loadtest_error_ratio{{{RUN}}}"), min=0),
            number("Verdict", "Once the run has finished. Inconclusive is not known, neither good nor bad.", "short",
                   Query(f"loadtest_verdict{{{RUN}}} == 1", "{{verdict}}"), name=True),
            number("Workers ready", "Pods that offer the load.", "short", Query(f'loadtest_workers{{{RUN},state="ready"}}')),
        ],
    )  # fmt: skip
    load = Row(8, [
        lines("Requests by outcome", "Requests per second over all workers: what succeeded, and each kind of failure by its name.", "reqps",
              Query(rate("loadtest_requests_total", "outcome"), "{{outcome}}")),
        lines("In flight", "Requests that wait for their answer, over all workers.", "short",
              Query(f"sum(loadtest_in_flight_requests{{{RUN}}})", "in flight"), min=0),
    ])  # fmt: skip
    latency = Row(8, [
        percentiles("Response time", "From the intended start to the last output.", "loadtest_response_time_seconds"),
        percentiles("Time to first token", "From the intended start to the first output.", "loadtest_time_to_first_token_seconds"),
        percentiles("Time per output token", "Mean of each request after its first token.", "loadtest_time_per_output_token_seconds"),
    ])  # fmt: skip
    target = Row(8, [
        REPLICAS,
        lines("Requests by stage and kind", "Requests per second over all workers.", "reqps",
              Query(rate("loadtest_requests_total", "stage, request"), "{{stage}} {{request}}")),
    ])  # fmt: skip
    volume = Row(6, [
        lines("Output tokens", "Tokens per second that arrived.", "short", Query(rate("loadtest_output_tokens_total"), "tokens/s")),
        lines("Received", "Bytes of answers per second.", "Bps", Query(rate("loadtest_received_bytes_total"), "received")),
        lines("Connections opened", "New connections per second: many of them beside few requests are not reused.", "cps",
              Query(rate("loadtest_connections_opened_total"), "opened")),
        steps("Workers", "Worker pods by state.", "short", Query(f"loadtest_workers{{{RUN}}}", "{{state}}"), min=0),
    ])  # fmt: skip
    rows = [now, load, latency, target, volume]
    return board("loadtest-runs", "Load tests: one run", rows, ONE_RUN, since="now-15m", annotations=REGIONS)


def percentiles_of_finished(series: str) -> Query:
    """P95 where the sample of the run is large enough to know it, and the median."""
    chosen = f'loadtest_{series}{{{TESTS},statistic=~"P50|P95"}}'
    expr = f"max by (namespace, loadtest, run, statistic) ({chosen} {FINISHED})"
    return Query(expr, "{{loadtest}} run {{run}} {{statistic}}")


def of_finished(series: str, more: str = "") -> Query:
    """One line for each run, from its verdict until the next run begins."""
    return Query(
        f"max by (namespace, loadtest, run) (loadtest_{series}{{{TESTS}{more}}} {FINISHED})", "{{loadtest}} run {{run}}"
    )


def capacity() -> Object:
    per_replica = (
        f'max by (namespace, loadtest, run) (loadtest_requests_per_second{{{TESTS},stage=""}} {FINISHED})'
        f' / max by (namespace, loadtest, run) (loadtest_target_replicas{{{TESTS},kind="ready"}} > 0)'
    )
    return board("loadtest-capacity", "Load tests: capacity over time", [
        Row(7, [
            states("Verdicts", "What each run ended with, until the next one begins.",
                   Query(f"loadtest_verdict{{{TESTS}}} == 1", "{{loadtest}}: {{verdict}}")),
        ]),
        Row(8, [
            steps("Held rate", "Successes per second over the whole run, of finished runs.", "reqps",
                  of_finished("requests_per_second", ',stage=""'), min=0),
            steps("Held rate per ready replica", "The same, divided by the replicas that were ready last.", "reqps",
                  Query(per_replica, "{{loadtest}} run {{run}}"), min=0),
        ]),
        Row(8, [
            steps("Response time", "Of the whole run, as its report has it: the median, and P95 where the sample shows it.", "s",
                  percentiles_of_finished("run_response_time_seconds"), min=0),
            steps("Time to first token", "Of the whole run, as its report has it: the median, and P95 where the sample shows it.", "s",
                  percentiles_of_finished("run_time_to_first_token_seconds"), min=0),
            steps("Errors", "Share of the planned requests that went wrong, of finished runs.", "percentunit",
                  of_finished("error_ratio"), min=0),
        ]),
        Row(7, [
            states("Last verdict of each schedule", "1 verdict at a time; see docs/alerts.md for what to do about a red one.",
                   Query('loadtest_schedule_last_verdict{namespace=~"$namespace"} == 1', "{{schedule}}: {{verdict}}")),
            bars("Next start", "Until the next start of each schedule is due.", "s",
                 Query('loadtest_schedule_next_start_timestamp_seconds{namespace=~"$namespace"} - time()', "{{schedule}}")),
            bars("Starts missed", "Starts that were due and not made.", "short",
                 Query('loadtest_schedule_missed_starts{namespace=~"$namespace"}', "{{schedule}}"), min=0),
        ]),
    ], MANY_TESTS, since="now-30d")  # fmt: skip


STEPS: Mapping[str, str] = {
    "decided": "the autoscaler wanted more replicas",
    "scheduled": "the first new pod had a node",
    "ready": "it was ready",
    "serving": "it was in the Service's endpoints",
}


def autoscaling() -> Object:
    lacking = f'loadtest_target_replicas{{{RUN},kind="desired"}} - ignoring (kind) loadtest_target_replicas{{{RUN},kind="ready"}}'
    reaction = f'max by (loadtest, run) (loadtest_scale_up_seconds{{{RUN},step="serving"}})'
    return board("loadtest-autoscaling", "Load tests: autoscaling", [
        Row(8, [
            lines("Load", "Requests per second over all workers, by stage.", "reqps",
                    Query(rate("loadtest_requests_total", "stage"), "{{stage}}")),
        ]),
        Row(8, [
            REPLICAS,
            steps("Replicas that are wanted and not there", "Above zero users wait for capacity; below zero pods are on their way out.",
                    "short",
                  Query(lacking, "lacking")),
        ]),
        Row(8, [
            percentiles("Response time meanwhile", "What users felt of it, from the intended start.", "loadtest_response_time_seconds"),
            lines("In flight", "Requests that wait for their answer: they pile up until capacity is there.", "short",
                  Query(f"sum(loadtest_in_flight_requests{{{RUN}}})", "in flight"), min=0),
        ]),
        Row(10, [
            bars("Scale-ups, step by step", "Seconds since the load rose until " + ", ".join(STEPS.values()) + ".", "s",
                 *(Query(f'loadtest_scale_up_seconds{{{RUN},step="{step}"}}', f"run {{{{run}}}}, {{{{scale_up}}}}: {step}")
                     for step in STEPS), min=0),
            steps("Slowest reaction", "From the load's rise to a new replica that serves, the longest of the run.", "s",
                  Query(reaction, "{{loadtest}} run {{run}}"), min=0),
        ]),
    ], ONE_RUN, since="now-15m", annotations=REGIONS)  # fmt: skip


def operator() -> Object:
    looks = "rate(loadtest_operator_reconcile_seconds_{}[$__rate_interval])"
    failing = "sum by (kind) (rate(loadtest_operator_reconcile_errors_total[$__rate_interval]))"
    return board("loadtest-operator", "Load tests: the operator", [
        Row(4, [
            number("Leaders", "Operators that act: exactly one. None: nothing is run; see docs/alerts.md.", "short",
                    Query("sum(loadtest_operator_leading)")),
            number("Unfinished runs", "Runs that it follows.", "short", Query("sum(loadtest_operator_active_runs)")),
            number("Loop lag", "How late its event loop is: above a second it is starved of CPU.", "s",
                    Query("max(loadtest_operator_loop_lag_seconds)")),
            number("Schedules not ready", "Schedules whose next start will not be made.", "short",
                    Query("count(loadtest_schedule_ready) - sum(loadtest_schedule_ready)")),
        ]),
        Row(8, [
            steps("Runs by phase", "All runs that the operator knows, finished ones until their time to live is over.", "short",
                  Query("sum by (phase) (loadtest_run_info)", "{{phase}}"), min=0),
            steps("Workers by state", "Over all runs.", "short", Query("sum by (state) (loadtest_workers)", "{{state}}"), min=0),
        ]),
        Row(8, [
            lines("One look at a LoadTest", "How long it takes: gather, decide, write, act.", "s",
                  Query(f"histogram_quantile(0.5, sum by (le) ({looks.format('bucket')}))", "P50"),
                  Query(f"histogram_quantile(0.95, sum by (le) ({looks.format('bucket')}))", "P95")),
            lines("Looks", "Per second.", "ops", Query(f"sum({looks.format('count')})", "looks")),
        ]),
        Row(8, [
            lines("Looks that failed", "Per second, by what went wrong. `Bug` is ours: please report it.", "ops",
                  Query(f"{failing} or sum(loadtest_operator_leading) * 0", "{{kind}}"), min=0),
            lines("Conflicts", "Writes of a status that the API server refused, for somebody else wrote in between.", "ops",
                  Query("sum(rate(loadtest_operator_status_conflicts_total[$__rate_interval]))", "conflicts"), min=0),
            steps("Faults by what became of them", "Over all runs; `NotRecovered` needs a hand: see docs/alerts.md.", "short",
                  Query("sum by (result) (loadtest_faults)", "{{result}}"), min=0),
        ]),
    ], (), since="now-3h")  # fmt: skip


BOARDS = {"run": one_run, "capacity": capacity, "autoscaling": autoscaling, "operator": operator}

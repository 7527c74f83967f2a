"""`loadgen plan --sweep FILE …`: exits with 0, with 2 for bad input, with 3 for a sweep that confirms no capacity."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from rich.text import Text

from loadgen.commands.common import show, stop
from loadgen.core.capacity.provision import Demand, NoCapacityError, provision
from loadgen.model.errors import ExitCode, LoadgenError
from loadgen.report import sweep as sweeps


def plan(  # noqa: PLR0913, PLR0917  a plan has as many numbers
    sweep: Annotated[Path, typer.Option(metavar="FILE", help="What `loadgen sweep --out` wrote.")],
    users: Annotated[int, typer.Option(min=1, help="All users.")],
    think_seconds: Annotated[float, typer.Option(min=0, help="Between an answer and the user's next question.")],
    active_percent: Annotated[
        float, typer.Option(min=0.001, max=100, help="Of them active at the busiest time.")
    ] = 100.0,
    headroom_percent: Annotated[
        float, typer.Option(min=0, max=95, help="Capacity of each replica that is kept free.")
    ] = 30.0,
    measured_replicas: Annotated[int, typer.Option(min=1, help="Replicas behind the target of the sweep.")] = 1,
    price: Annotated[float | None, typer.Option(min=0, help="Of a replica, per hour.")] = None,
    output_tokens: Annotated[
        float | None, typer.Option(min=0.001, help="Of a request; with a price, its cost.")
    ] = None,
) -> None:
    """Say how many replicas so many users need, by a knee that was held, with the arithmetic."""
    demand = Demand(users, active_percent, think_seconds, headroom_percent, measured_replicas, price, output_tokens)
    try:
        found = provision(sweeps.load(json.loads(sweep.read_bytes()), str(sweep)), demand)
    except NoCapacityError as error:
        stop(error, ExitCode.INCONCLUSIVE)
    except (LoadgenError, OSError, ValueError) as error:
        stop(error, ExitCode.BAD_INPUT)
    cost = "" if found.cost_per_hour is None else f", {found.cost_per_hour:.4g} an hour"
    head = Text(f"{found.replicas} replica(s) for {users} users{cost}", style="bold")
    show(Group(head, *(Text(f"  {step}") for step in found.steps)))

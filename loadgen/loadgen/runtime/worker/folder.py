"""Material from files: what the operator mounts into a worker, or what a person keeps in a folder beside the plan.

In a worker a reference's file is `configmaps/NAME/KEY` or `secrets/NAME/KEY`. On a laptop it is `NAME/KEY`, whatever holds
it in the cluster, and the value of `target.authorization` comes from the environment: it has no business in a file.
"""

from collections.abc import Mapping
from pathlib import Path

from loadgen.core.prompts.material import check, proof, wanted
from loadgen.model.access import Access
from loadgen.model.errors import InvalidPlanError
from loadgen.model.plan import Plan
from loadgen.model.references import Material, Reference

AUTHORIZATION_VARIABLE = "LOADTEST_AUTHORIZATION"


def mounted(plan: Plan, access: Access, folder: Path) -> Material:
    """What a worker finds. Raises InvalidPlanError."""
    return _read(plan, access, {one: folder / one.to.path for one in wanted(plan, access)}, {})


def local(plan: Plan, access: Access, folder: Path | None, environment: Mapping[str, str]) -> Material:
    """What a person has. Raises InvalidPlanError, which says which files and variables are looked for."""
    secret, value = proof(access), environment.get(AUTHORIZATION_VARIABLE, "")
    files = [one for one in wanted(plan, access) if one != secret]
    missing = []
    if secret is not None and not value:
        missing.append(f"{secret}: put the value into the environment variable {AUTHORIZATION_VARIABLE}")
    if folder is None:
        missing += [f"{one}: give --data FOLDER with the file FOLDER/{one.to.name}/{one.to.key}" for one in files]
    if missing:
        raise InvalidPlanError(missing)
    places = {one: (folder or Path()) / one.to.name / one.to.key for one in files}
    return _read(plan, access, places, {secret.to.path: value.encode()} if secret else {})


def _read(plan: Plan, access: Access, places: Mapping[Reference, Path], given: Mapping[str, bytes]) -> Material:
    material, missing = dict(given), []
    for reference, place in places.items():
        try:
            material[reference.to.path] = place.read_bytes()
        except OSError as error:
            missing.append(f"{reference}: {place} cannot be read: {error.strerror}")
    if missing:
        raise InvalidPlanError(missing)
    check(plan, access, material)
    return material

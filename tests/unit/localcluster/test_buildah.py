"""What buildah may forget after a build."""

from localcluster.buildah import STEP, orphans

LOG = """[1/2] STEP 2/3: RUN make
--> Using cache 1da4a8b3554589c72a39be43caa1056db4c201018fb21a7463b21ce874aea2a9
--> 1da4a8b3554
[2/2] STEP 1/2: COPY --from=0 /app /app
--> b49485e172b
[2/2] COMMIT localhost/loadtest-worker:dev
Successfully tagged localhost/loadtest-worker:dev
"""
LISTED = """sha256:aaaa00000000 localhost/loadtest-worker:dev
sha256:b49485e172bf00 <none>:<none>
sha256:1da4a8b35545 <none>:<none>
sha256:cccc00000000 <none>:<none>
sha256:dddd00000000 localhost/python-base:old
"""
NAMED = {"localhost/loadtest-worker:dev", "localhost/python-base:new"}


def test_a_build_names_its_steps_in_full_or_by_their_first_digits() -> None:
    assert {step[:11] for step in STEP.findall(LOG)} == {"1da4a8b3554", "b49485e172b"}


def test_the_last_builds_steps_and_current_names_stay() -> None:
    steps = {"1da4a8b3554", "b49485e172b"}
    assert orphans(LISTED, NAMED, steps) == ["localhost/python-base:old", "cccc00000000"]


def test_without_a_log_only_names_stay() -> None:
    assert "sha256:aaaa00000000" not in orphans(LISTED, NAMED, ())
    assert len(orphans(LISTED, NAMED, ())) == 4


def test_an_empty_store_has_no_orphans() -> None:
    assert orphans("", NAMED, ()) == []

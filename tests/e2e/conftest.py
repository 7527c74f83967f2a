"""Fixtures of the end-to-end tests: a real cluster with the operator installed by its chart and the real model deployed.

`make e2e` prepares both (deploy/demo prepare) and sets KUBECONFIG. The tests talk to the cluster through kubectl, as a
user does, and assert on the status that a user sees.
"""

import pytest
from cluster import NAMESPACE, Cluster


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster of KUBECONFIG; an error, not a skip, when it is not there: a skipped proof is no proof."""
    cluster = Cluster(NAMESPACE)
    cluster.require_ready()
    return cluster

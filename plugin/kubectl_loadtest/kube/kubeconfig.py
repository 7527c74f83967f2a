"""Which cluster, as whom, in which namespace: chosen as kubectl does, with every failure as one sentence."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kubernetes import config as untyped
from kubernetes.client import ApiClient, Configuration
from kubernetes.config.config_exception import ConfigException

from kubectl_loadtest.problems import BadInputError

config: Any = untyped
DEFAULT = "~/.kube/config"
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class Connection:
    """A client, and where its objects are."""

    client: Any
    host: str
    namespace: str


def connect(kubeconfig: str | None, context: str | None, namespace: str | None) -> Connection:
    """By the kubeconfig (the option, KUBECONFIG, or the default); in a pod without one, by its service account."""
    paths = kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT
    there = [path for path in paths.split(os.pathsep) if path and Path(path).expanduser().exists()]
    configuration = Configuration()
    if not there and not kubeconfig and "KUBERNETES_SERVICE_HOST" in os.environ:
        found = _in_a_pod(configuration)
    else:
        found = _from_files(paths, there, context, configuration)
    configuration.retries = False
    return Connection(ApiClient(configuration), str(configuration.host), namespace or found or "default")


def _from_files(paths: str, there: list[str], context: str | None, configuration: Any) -> str | None:
    """Fills the configuration; gives the context's namespace."""
    if not there:
        raise BadInputError(f"there is no kubeconfig at {paths}: set KUBECONFIG, or name a file with --kubeconfig")
    try:
        contexts, current = config.list_kube_config_contexts(config_file=paths)
        known = {one["name"]: one.get("context") or {} for one in contexts}
        chosen = context or (current or {}).get("name")
        if chosen not in known:
            raise BadInputError(f"context {chosen!r} is not in {paths}: there are {', '.join(known) or 'none'}")
        config.load_kube_config(config_file=paths, context=chosen, client_configuration=configuration)
    except ConfigException as error:
        raise BadInputError(f"{paths} cannot be used: {_words(error)}; `kubectl config view` shows it") from error
    except OSError as error:
        raise BadInputError(f"{error.filename or paths} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadInputError(f"{paths} is no kubeconfig: {error}; `kubectl config view` shows it") from error
    except yaml.YAMLError as error:
        raise BadInputError(f"{paths} is not YAML: {error}") from error
    return known[chosen].get("namespace")


def _in_a_pod(configuration: Any) -> str | None:
    try:
        config.load_incluster_config(client_configuration=configuration)
    except (ConfigException, OSError) as error:
        raise BadInputError(
            f"the pod's service account cannot be used: {error}; name a file with --kubeconfig"
        ) from error
    return SERVICE_ACCOUNT.read_text().strip() if SERVICE_ACCOUNT.exists() else None


def _words(error: Exception) -> str:
    return str(error).removeprefix("Invalid kube-config file. ").rstrip(".")

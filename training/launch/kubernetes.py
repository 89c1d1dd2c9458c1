"""A Kubernetes cluster: a Job on one node, a Kubeflow TrainJob over several.

The run's directory has to lie on a volume that the pods mount too.
"""

from __future__ import annotations

import json
import logging
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.launch import ENVIRONMENT, GRACE, FitFailed, OnProgress, Work

log = logging.getLogger(__name__)

POLL = 15.0
MOUNT = "/runs"
RESTARTS = 2


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """What to ask the cluster for. `claim`: the volume claim whose root is `root` on this machine."""

    image: str
    claim: str
    root: Path
    nodes: int = 1
    gpus: int = 1
    namespace: str = "default"
    runtime: str = "torch-distributed"
    """ClusterTrainingRuntime of Kubeflow, for more than one node."""
    poll: float = POLL

    def fit(self, work: Work, *, on_progress: OnProgress) -> None:
        if work.whole():
            return
        work.check()
        manifest = self.manifest(work)
        kind = str(manifest["kind"]).lower()
        self._kubectl("apply", "--filename", "-", given=json.dumps(manifest))
        while not work.whole():
            on_progress(work.progress())
            time.sleep(self.poll)
            # Asked before the last look: a job may end between the two.
            if self._ended_badly(kind, work) and not work.whole():
                raise FitFailed(f"{kind} {_name(work)} failed; `kubectl logs` tells why")

    def _ended_badly(self, kind: str, work: Work) -> bool:
        """A cluster that does not answer says nothing of the fit."""
        try:
            found = self._kubectl("get", kind, _name(work), "--output", "json")
        except FitFailed as error:
            if "NotFound" in str(error):
                raise
            log.warning("%s %s: %s", kind, _name(work), error)
            return False
        return _failed(json.loads(found))

    def manifest(self, work: Work) -> dict[str, Any]:
        """The object to apply."""
        metadata = {"name": _name(work), "namespace": self.namespace}
        if self.nodes > 1:
            return self._train_job(work, metadata)
        return self._job(work, metadata)

    def _job(self, work: Work, metadata: dict[str, Any]) -> dict[str, Any]:
        how = [
            "--standalone",
            f"--nproc-per-node={max(1, self.gpus)}",
            f"--max-restarts={RESTARTS}",
        ]
        container = {
            "name": "fit",
            "image": self.image,
            "command": ["torchrun", *how, *self._arguments(work)],
            "env": _environment(),
            "resources": self._resources(),
            "volumeMounts": [{"name": "runs", "mountPath": MOUNT}],
        }
        pod = {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": GRACE,
            "containers": [container],
            "volumes": [self._volume()],
        }
        spec = {"backoffLimit": RESTARTS, "template": {"spec": pod}}
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}

    def _train_job(self, work: Work, metadata: dict[str, Any]) -> dict[str, Any]:
        """The runtime sets PET_* for torchrun, so the command names nodes and ranks nowhere."""
        trainer = {
            "image": self.image,
            "numNodes": self.nodes,
            "command": ["torchrun", *self._arguments(work)],
            "env": _environment(),
            "resourcesPerNode": self._resources(),
        }
        mounts = {"name": "node", "volumeMounts": [{"name": "runs", "mountPath": MOUNT}]}
        override = {
            "targetJobs": [{"name": "node"}],
            "spec": {"volumes": [self._volume()], "containers": [mounts]},
        }
        return {
            "apiVersion": "trainer.kubeflow.org/v1alpha1",
            "kind": "TrainJob",
            "metadata": metadata,
            "spec": {
                "runtimeRef": {"name": self.runtime},
                "trainer": trainer,
                "podTemplateOverrides": [override],
            },
        }

    def _arguments(self, work: Work) -> list[str]:
        inside = Path(MOUNT) / work.directory.resolve().relative_to(self.root.resolve())
        return Work(inside).arguments()

    def _resources(self) -> dict[str, Any]:
        return {"limits": {"nvidia.com/gpu": self.gpus}} if self.gpus else {}

    def _volume(self) -> dict[str, Any]:
        return {"name": "runs", "persistentVolumeClaim": {"claimName": self.claim}}

    def _kubectl(self, *words: str, given: str | None = None) -> str:
        command = ["kubectl", "--namespace", self.namespace, *words]
        try:
            done = subprocess.run(command, check=True, capture_output=True, text=True, input=given)  # noqa: S603
        except FileNotFoundError:
            raise FitFailed("kubectl is not on this machine") from None
        except subprocess.CalledProcessError as error:
            raise FitFailed(f"kubectl {words[0]} refused: {error.stderr.strip()}") from None
        return done.stdout


def _environment() -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in ENVIRONMENT.items()]


def _name(work: Work) -> str:
    """Lower case, digits and hyphens, or the cluster refuses it."""
    return "labelwright-" + re.sub("[^a-z0-9]+", "-", work.directory.name.lower()).strip("-")


def _failed(found: dict[str, Any]) -> bool:
    conditions = found.get("status", {}).get("conditions", [])
    return any(one["type"] == "Failed" and one["status"] == "True" for one in conditions)

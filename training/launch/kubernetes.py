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

from training.launch import ENVIRONMENT, GRACE, REFUSAL, FitFailed, OnProgress, Work

log = logging.getLogger(__name__)

POLL = 15.0
MOUNT = "/runs"
REFUSED = 3
RESTARTS = 2
POD = f"""\
rm -f "${REFUSAL}"
torchrun "$@" &
fit=$!
trap 'kill -TERM "$fit"' TERM
wait "$fit"; code=$?
while kill -0 "$fit" 2>/dev/null; do wait "$fit"; code=$?; done
[ -s "${REFUSAL}" ] && exit {REFUSED}
exit "$code"
"""
"""torchrun ends with 1 whatever its ranks say; the signal of an eviction reaches this shell alone."""
RULES = [
    {
        "action": "FailJob",
        "onExitCodes": {"containerName": "fit", "operator": "In", "values": [REFUSED]},
    },
    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
]
"""What no retry can help ends the Job, and an eviction is no failure.
https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy"""
ENDINGS = {"Failed": "failed", "Complete": "ended without a model"}


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
        kind, name = str(manifest["kind"]).lower(), _name(work)
        if self._ended(kind, name, "--ignore-not-found"):
            self._kubectl("delete", kind, name)  # it would be found as it ended
            work.refusal.unlink(missing_ok=True)
        self._kubectl("apply", "--filename", "-", given=json.dumps(manifest))
        while not work.whole():
            on_progress(work.progress())
            time.sleep(self.poll)
            if (how := self._ended_now(kind, name)) and not work.arrives(poll=self.poll):
                raise work.failure(f"{kind} {name} {how}; `kubectl logs` tells why")

    def _ended_now(self, kind: str, name: str) -> str:
        """A cluster that does not answer says nothing of the fit."""
        try:
            return self._ended(kind, name)
        except FitFailed as error:
            if "NotFound" in str(error):
                raise
            log.warning("%s %s: %s", kind, name, error)
            return ""

    def _ended(self, kind: str, name: str, *options: str) -> str:
        """How, in words; "" where it has not."""
        found = self._kubectl("get", kind, name, "--output", "json", *options)
        status = json.loads(found or "{}").get("status", {})
        met = {one["type"] for one in status.get("conditions", []) if one["status"] == "True"}
        return next((told for condition, told in ENDINGS.items() if condition in met), "")

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
            "command": ["sh", "-c", POD, "fit", *how, *self._arguments(work)],
            "env": self._environment(work),
            "resources": self._resources(),
            "volumeMounts": [{"name": "runs", "mountPath": MOUNT}],
        }
        pod = {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": GRACE,
            "containers": [container],
            "volumes": [self._volume()],
        }
        spec = {
            "backoffLimit": RESTARTS,
            "podFailurePolicy": {"rules": RULES},
            "template": {"spec": pod},
        }
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}

    def _train_job(self, work: Work, metadata: dict[str, Any]) -> dict[str, Any]:
        """The runtime sets PET_* for torchrun, so the command names nodes and ranks nowhere."""
        trainer = {
            "image": self.image,
            "numNodes": self.nodes,
            "command": ["torchrun", *self._arguments(work)],
            "env": self._environment(work),
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
        return self._inside(work).arguments()

    def _environment(self, work: Work) -> list[dict[str, str]]:
        told = {**ENVIRONMENT, REFUSAL: str(self._inside(work).refusal)}
        return [{"name": name, "value": value} for name, value in told.items()]

    def _inside(self, work: Work) -> Work:
        """The run as a pod sees it."""
        return Work(Path(MOUNT) / work.directory.resolve().relative_to(self.root.resolve()))

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


def _name(work: Work) -> str:
    """Lower case, digits and hyphens, or the cluster refuses it."""
    return "labelwright-" + re.sub("[^a-z0-9]+", "-", work.directory.name.lower()).strip("-")

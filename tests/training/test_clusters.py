"""SLURM and Kubernetes, played by scripts: what they are asked for, and what their answers mean."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.training.snapshots import make_snapshot
from tests.training.tiny import make_rows, tiny_recipe
from training.launch import REFUSAL, FitFailed, FitRefused, Work
from training.launch.kubernetes import Kubernetes
from training.launch.slurm import Slurm
from training.recipe_file import recipe_text


@pytest.fixture
def work(tmp_path: Path) -> Work:
    """A run that nobody fits."""
    (tmp_path / "recipe.json").write_text(recipe_text(tiny_recipe()))
    make_snapshot(tmp_path / "snapshot", make_rows(24))
    return Work(tmp_path)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_the_batch_script_is_sound_bash(work: Work) -> None:
    odd = Work(work.directory / "a run")
    script = Slurm(nodes=2, gpus=4).script(odd)
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    assert "#SBATCH --signal=B:TERM@120" in script
    assert "--nproc-per-node=4" in script
    assert f"'{odd.snapshot}'" in script
    assert f"#SBATCH --output='{odd.directory}/fit.log'" in script


CLUSTER = """#!/bin/bash
here="$(dirname "$0")"
case "$(basename "$0")" in
    sbatch) echo "asked" >> "$here/asked"; echo 41 ;;
    *) n=$(cat "$here/looks" 2>/dev/null || echo 0); echo $((n + 1)) > "$here/looks"
       if [ "$n" = 0 ]; then echo "Unable to contact slurm controller" >&2; exit 1; fi
       if [ "$n" = 1 ]; then echo R; exit 0; fi
       echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scheduler whose controller is away at the first look, and whose job ends without a model."""
    bin = tmp_path / "bin"
    bin.mkdir()
    for name in ("sbatch", "squeue"):
        (bin / name).write_text(CLUSTER)
        (bin / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin}:/usr/bin:/bin")
    return bin


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_a_controller_that_is_away_ends_no_job(work: Work, cluster: Path) -> None:
    told: list[object] = []
    with pytest.raises(FitFailed, match="job 41 ended without a model"):
        Slurm(poll=0.01).fit(work, on_progress=told.append)
    assert told == [{"job": "41"}] * 3


KUBECTL = """#!/bin/bash
here="$(dirname "$0")"
[ "$3" = apply ] && touch "$here/there"
[ -e "$here/there" ] && [ "$3" = get ] || exit 0
if mkdir "$here/away" 2>/dev/null; then echo "connection refused" >&2; exit 1; fi
echo '{"status": {"conditions": [{"type": "Failed", "status": "True"}]}}'
"""
KEPT = """#!/bin/bash
here="$(dirname "$0")"
[ "$3" = get ] || echo "$3" >> "$here/asked"
[ "$3" = get ] && [ -e "$here/asked" ] || exit 0
echo '{"status": {"conditions": [{"type": "Failed", "status": "True"}]}}'
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_an_api_server_that_is_away_ends_no_job(work: Work, cluster: Path) -> None:
    (cluster / "kubectl").write_text(KUBECTL)
    (cluster / "kubectl").chmod(0o755)
    told: list[object] = []
    launcher = Kubernetes(image="i", claim="c", root=work.directory, poll=0.01)
    with pytest.raises(FitFailed, match="failed; `kubectl logs` tells why"):
        launcher.fit(work, on_progress=told.append)
    assert len(told) == 2


@pytest.mark.parametrize("launcher", ["slurm", "kubernetes"])
@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_a_cluster_s_log_is_not_needed_to_know_why_no_retry_helps(
    work: Work, cluster: Path, launcher: str
) -> None:
    (cluster / "kubectl").write_text(KUBECTL)
    (cluster / "kubectl").chmod(0o755)

    def refuse(told: object) -> None:
        work.refusal.write_text("one class alone")

    there = Kubernetes(image="i", claim="c", root=work.directory, poll=0.01)
    with pytest.raises(FitRefused, match="one class alone"):
        (there if launcher == "kubernetes" else Slurm(poll=0.01)).fit(work, on_progress=refuse)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_a_job_that_ended_badly_is_begun_anew(work: Work, cluster: Path) -> None:
    """Applied again as it was, it would be found as it ended: no `--resume` could ever go on."""
    (cluster / "kubectl").write_text(KEPT)
    (cluster / "kubectl").chmod(0o755)
    launcher = Kubernetes(image="i", claim="c", root=work.directory, poll=0.01)
    for _ in range(2):
        with pytest.raises(FitFailed, match=r"^job .* failed; `kubectl logs` tells why"):
            launcher.fit(work, on_progress=lambda told: None)
        work.refusal.write_text("of an earlier try")
    assert (cluster / "asked").read_text().split() == ["apply", "delete", "apply"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_a_job_that_ended_well_without_a_model_is_not_waited_for(work: Work, cluster: Path) -> None:
    """The claim's root is another directory than was said, say."""
    (cluster / "kubectl").write_text(KUBECTL.replace("Failed", "Complete"))
    (cluster / "kubectl").chmod(0o755)
    launcher = Kubernetes(image="i", claim="c", root=work.directory, poll=0.01)
    with pytest.raises(FitFailed, match="without a model"):
        launcher.fit(work, on_progress=lambda told: None)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize("launcher", ["slurm", "kubernetes"])
def test_a_common_disk_that_tells_late_fails_no_fit(
    work: Work, cluster: Path, launcher: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cluster / "kubectl").write_text(KUBECTL.replace("Failed", "Complete"))
    (cluster / "kubectl").chmod(0o755)
    looks = iter([False] * 7)  # ended at the third, on this disk at the eighth
    monkeypatch.setattr(Work, "whole", lambda _: next(looks, True))
    there = Kubernetes(image="i", claim="c", root=work.directory, poll=0.01)
    (there if launcher == "kubernetes" else Slurm(poll=0.01)).fit(work, on_progress=lambda _: None)


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        ("exit 0", 0),
        ("exit 1", 1),
        (f'echo "one class alone" > "${REFUSAL}"; exit 1', 3),
        ("trap 'echo saved; exit 1' TERM; kill -TERM $PPID; while :; do sleep 0.05; done", 1),
    ],
)
@pytest.mark.skipif(shutil.which("sh") is None, reason="no sh")
def test_a_pod_s_exit_tells_whether_another_may_help(work: Work, ends: str, code: int) -> None:
    """torchrun alone ends with 1 whatever happened."""
    job = Kubernetes(image="i", claim="c", root=work.directory.parent).manifest(work)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    told = {one["name"]: one["value"] for one in container["env"]}
    assert told[REFUSAL] == f"/runs/{work.directory.name}/refusal.txt"
    torchrun = work.directory / "torchrun"
    torchrun.write_text(f"#!/bin/sh\n[ $1 = --standalone ] || exit 9\n{ends}\n")
    torchrun.chmod(0o755)
    work.refusal.write_text("of the pod before")
    there = {"PATH": f"{work.directory}:/usr/bin:/bin", REFUSAL: str(work.refusal)}
    ended = subprocess.run(container["command"], env=there, capture_output=True, text=True)
    assert ended.returncode == code
    assert ("saved" in ended.stdout) == ("saved" in ends)
    rules = job["spec"]["podFailurePolicy"]["rules"]
    assert [rule["onExitCodes"]["values"] for rule in rules if rule["action"] == "FailJob"] == [[3]]


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_a_job_that_still_runs_is_not_submitted_twice(work: Work, cluster: Path) -> None:
    def stop(told: object) -> None:
        raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            Slurm(poll=0.01).fit(work, on_progress=stop)
    assert (cluster / "asked").read_text() == "asked\n"


@pytest.mark.parametrize(
    ("launcher", "says"),
    [
        (Slurm(), "sbatch is not on this machine"),
        (Kubernetes(image="i", claim="c", root=Path("/")), "kubectl is not on this machine"),
    ],
)
def test_a_machine_without_the_cluster_says_so(
    work: Work, launcher: Slurm | Kubernetes, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(work.directory))
    with pytest.raises(FitFailed, match=says):
        launcher.fit(work, on_progress=lambda told: None)


def test_one_node_is_a_job_and_more_are_a_train_job(work: Work) -> None:
    root = work.directory.parent
    one = Kubernetes(image="labelwright-training", claim="runs", root=root, gpus=8).manifest(work)
    assert (one["apiVersion"], one["kind"]) == ("batch/v1", "Job")
    # Kubernetes takes lower-case names alone.
    named = Kubernetes(image="i", claim="c", root=root).manifest(Work(root / "20261122T0852_1"))
    assert named["metadata"]["name"] == "labelwright-20261122t0852-1"
    (container,) = one["spec"]["template"]["spec"]["containers"]
    assert "--nproc-per-node=8" in container["command"]
    assert f"/runs/{work.directory.name}/snapshot" in container["command"]
    assert container["resources"] == {"limits": {"nvidia.com/gpu": 8}}
    more = Kubernetes(image="i", claim="runs", root=root, nodes=2).manifest(work)
    assert (more["apiVersion"], more["kind"]) == ("trainer.kubeflow.org/v1alpha1", "TrainJob")
    trainer = more["spec"]["trainer"]
    assert trainer["numNodes"] == 2
    assert not [word for word in trainer["command"] if word.startswith("--n")]

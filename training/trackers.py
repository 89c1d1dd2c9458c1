"""Who else draws the curves of a run: trackio, wandb, mlflow or tensorboard, if it is installed.

Our own `metrics.jsonl` is the truth; a tracker that breaks is reported once and the run goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bot.errors import UserError

log = logging.getLogger(__name__)

PROJECT = "labelwright"
AUTO, NONE = "auto", "none"
"""`auto`: trackio where it is installed, else none. It keeps its data on this machine."""


@dataclass(slots=True)
class Tracker:
    """Two functions, and whether they still work."""

    name: str
    send: Callable[[Mapping[str, float], int], None]
    close: Callable[[], None]
    broken: bool = False

    def log(self, figures: Mapping[str, float], *, step: int) -> None:
        self._try(lambda: self.send(figures, step))

    def finish(self) -> None:
        self._try(self.close)

    def _try(self, act: Callable[[], None]) -> None:
        if self.broken:
            return
        try:
            act()
        except Exception as error:  # a curve is not worth a run, whatever another library raises
            self.broken = True
            _warn(self.name, error)


def open_tracker(name: str, *, run: str, config: Mapping[str, Any], directory: Path) -> Tracker:
    """The tracker of that name, its run begun.

    Raises:
        UserError: there is no such tracker, or it is not installed.
    """
    if name == AUTO:
        name = "trackio" if find_spec("trackio") else NONE
    if name not in OPENERS:
        near = get_close_matches(name, OPENERS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UserError(f"There is no tracker {name!r}.{hint} Known: auto, {', '.join(OPENERS)}.")
    try:
        send, close = OPENERS[name](run, config, directory)
    except ImportError:
        package = PACKAGES.get(name, name)
        raise UserError(
            f"The tracker {name} is not installed: pip install {package}, or give --tracker none."
        ) from None
    except Exception as error:  # no key, no server
        _warn(name, error)
        send, close = _none(run, config, directory)
    return Tracker(name, send, close)


def _warn(name: str, error: Exception) -> None:
    log.warning("%s failed (%s); the run goes on without it", name, error)


Opened = tuple[Callable[[Mapping[str, float], int], None], Callable[[], None]]


def _none(run: str, config: Mapping[str, Any], directory: Path) -> Opened:  # noqa: ARG001
    return lambda *_: None, lambda: None


def _trackio(run: str, config: Mapping[str, Any], directory: Path) -> Opened:  # noqa: ARG001
    trackio = import_module("trackio")
    trackio.init(
        project=PROJECT,
        name=run,
        config=dict(config),
        resume="allow",
        embed=False,
        auto_log_gpu=False,
        auto_log_cpu=False,
    )
    return lambda figures, step: trackio.log(dict(figures), step=step), trackio.finish


def _wandb(run: str, config: Mapping[str, Any], directory: Path) -> Opened:
    wandb = import_module("wandb")
    begun = wandb.init(
        project=PROJECT, name=run, id=run, config=dict(config), resume="allow", dir=str(directory)
    )
    return lambda figures, step: begun.log(dict(figures), step=step), begun.finish


def _mlflow(run: str, config: Mapping[str, Any], directory: Path) -> Opened:  # noqa: ARG001
    mlflow = import_module("mlflow")
    mlflow.set_experiment(PROJECT)
    mlflow.start_run(run_name=run)
    mlflow.log_params({key: str(value) for key, value in config.items()})
    return lambda figures, step: mlflow.log_metrics(dict(figures), step=step), mlflow.end_run


def _tensorboard(run: str, config: Mapping[str, Any], directory: Path) -> Opened:  # noqa: ARG001
    writer = import_module("torch.utils.tensorboard").SummaryWriter(str(directory / "tensorboard"))

    def send(figures: Mapping[str, float], step: int) -> None:
        for key, value in figures.items():
            writer.add_scalar(key, value, step)

    return send, writer.close


PACKAGES = {"trackio": "'labelwright[tracking]'"}
OPENERS: dict[str, Callable[[str, Mapping[str, Any], Path], Opened]] = {
    NONE: _none,
    "trackio": _trackio,
    "wandb": _wandb,
    "mlflow": _mlflow,
    "tensorboard": _tensorboard,
}

"""The commands of `labelwright-train`. Parse words and show results; the work is done elsewhere."""

from __future__ import annotations

import logging
import os
import signal

import typer

from training.cli import evaluate, fit, lab, run, score, search, setfit, snapshot

app = typer.Typer(
    help="Retrains the encoder on what the maintainers taught.",
    no_args_is_help=True,
    add_completion=False,
)


@app.callback()
def main() -> None:
    """Retrains the encoder on what the maintainers taught."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("training").setLevel(logging.INFO)
    signal.signal(signal.SIGTERM, _terminated)


def _terminated(*_: object) -> None:
    """SIGTERM unwinds the stack, so that ranks are told to save and stop."""
    raise SystemExit(128 + signal.SIGTERM)


app.command()(score.score)
app.command()(lab.lab)
app.command()(fit.fit)
app.command()(fit.agent)
app.command()(snapshot.snapshot)
app.command()(evaluate.export)
app.command()(evaluate.evaluate)
app.command()(run.run)
app.command()(run.runs)
app.command()(run.schedule)
app.command()(search.search)
app.command()(setfit.import_setfit)
app.command()(setfit.export_setfit)
app.command()(setfit.predict)

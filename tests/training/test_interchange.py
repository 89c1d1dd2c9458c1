"""SetFit models come in without running their pickles, say the same here, and go out again."""

from __future__ import annotations

import io
import json
import os
import pickle
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from bot.classify.bundle import read_bundle
from bot.classify.encoder import Encoder
from bot.errors import UserError
from tests.training.tiny import make_rows, make_tiny_encoder, write_rows
from training.cli import app
from training.interchange.directory import export_setfit, import_setfit
from training.interchange.head import read_head
from training.interchange.imported import HEAD, SETFIT, read_imported
from training.interchange.pickled import read_pickle

pytestmark = pytest.mark.peers

ROWS = make_rows(24)
TEXTS = [f"{row['title']}\n\n{row['body']}" for row in ROWS]
NAMES = ["bug", "feature", "question"]
NUMBERS = [NAMES.index(row["labels"][0]) for row in ROWS]
KINDS = ("named", "numbered", "two", "one-vs-rest", "multi-output", "torch", "torch-many")


@contextmanager
def quiet() -> Iterator[None]:
    """Other people's code warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def answers(kind: str) -> Any:
    many = [[int(n == i) for i in range(3)] for n in NUMBERS]
    return {
        "named": [NAMES[n] for n in NUMBERS],
        "two": [n % 2 for n in NUMBERS],
        "one-vs-rest": [[*row[:2], 0] for row in many],  # one label that nobody gave
        "multi-output": many,
        "torch-many": many,
    }.get(kind, NUMBERS)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def trained(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """(model, directory) of a kind of head, trained and saved by SetFit."""
    made: dict[Any, Any] = {}

    def train(kind: str, *, normalize: bool = True) -> Any:
        if (kind, normalize) not in made:
            out = tmp_path_factory.mktemp("setfit") / kind
            made[kind, normalize] = _train(base, kind, out, normalize=normalize), out
        return made[kind, normalize]

    return train


def _train(base: Path, kind: str, out: Path, *, normalize: bool) -> Any:
    from setfit import SetFitModel

    strategy = {"torch-many": "one-vs-rest"}.get(kind, kind if "-" in kind else None)
    with quiet():
        model = SetFitModel.from_pretrained(
            str(base),
            multi_target_strategy=strategy,
            use_differentiable_head=kind.startswith("torch"),
            normalize_embeddings=normalize,
            labels=NAMES if kind in {"numbered", "one-vs-rest"} else None,
            head_params={"out_features": 3} if kind.startswith("torch") else {"C": 1e4},
            device="cpu",
        )
        model.fit(TEXTS, answers(kind), num_epochs=8, batch_size=8, show_progress_bar=False,
                  head_learning_rate=0.5)  # fmt: skip
        model.save_pretrained(out)
    return model


def told_by(model: Any) -> np.ndarray:
    with quiet():
        found = np.asarray(model.predict_proba(TEXTS, as_numpy=True, show_progress_bar=False))
    return found[:, :, 1] if found.ndim == 3 else found


def decided_by(model: Any) -> list[Any]:
    with quiet():
        found = model.predict(TEXTS, show_progress_bar=False)
    return found if isinstance(found, list) else np.asarray(found).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_in_and_out_it_says_the_same(
    trained: Callable[..., Any], tmp_path: Path, kind: str
) -> None:
    from setfit import SetFitModel

    model, source = trained(kind)
    imported, _ = import_setfit(source, tmp_path / "bundle")
    vectors = imported.vectors(TEXTS)
    assert np.allclose(imported.head.probabilities(vectors), told_by(model), atol=1e-4)
    export_setfit(tmp_path / "bundle", tmp_path / "out")
    with quiet():
        again = SetFitModel.from_pretrained(str(tmp_path / "out"), device="cpu")
    assert type(again.model_head) is type(model.model_head)
    assert np.allclose(told_by(again), told_by(model), atol=1e-6)
    assert decided_by(again) == decided_by(model)
    assert len({str(told) for told in decided_by(model)}) > 1  # it tells issues apart
    if imported.head.single:
        told = [str(x) for x in decided_by(model)]
        assert [labels for (labels,) in imported.head.decide(vectors)] == told
    else:
        rows = [[int(name in labels) for name in imported.head.names]
                for labels in imported.head.decide(vectors)]  # fmt: skip
        assert rows == decided_by(model)


def test_where_the_length_of_vectors_counts_torch_makes_them(
    trained: Callable[..., Any], tmp_path: Path
) -> None:
    model, source = trained("numbered", normalize=False)
    imported, _ = import_setfit(source, tmp_path / "bundle")
    assert not imported.head.unit
    found = imported.head.probabilities(imported.vectors(TEXTS))
    assert np.allclose(found, told_by(model), atol=1e-4)
    served = Encoder.open(tmp_path / "bundle", backend="fp32").encode(TEXTS)
    assert np.allclose(np.linalg.norm(served, axis=1), 1, atol=1e-5)


def test_no_pickle_is_kept_and_the_bundle_serves(
    trained: Callable[..., Any], tmp_path: Path
) -> None:
    _, source = trained("named")
    imported, parity = import_setfit(source, tmp_path / "bundle", max_tokens=12)
    suffixes = {path.suffix for path in (tmp_path / "bundle").rglob("*") if path.is_file()}
    assert suffixes <= {".json", ".onnx", ".safetensors", ".md", ".txt"}
    manifest = read_bundle(tmp_path / "bundle").manifest
    assert (manifest.max_tokens, manifest.name) == (12, "named (SetFit)")
    assert min(found.worst for found in parity) > 0.98
    assert imported.head.names == tuple(NAMES)
    assert read_imported(tmp_path / "bundle").head.classes == imported.head.classes


def test_pickled_weights_are_converted(trained: Callable[..., Any], tmp_path: Path) -> None:
    from safetensors.torch import load_file

    model, source = trained("numbered")
    old = tmp_path / "old"
    old.mkdir()
    for path in source.rglob("*"):
        if path.is_file() and path.name != "model.safetensors":
            target = old / path.relative_to(source)
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(path.read_bytes())
    torch.save(load_file(source / "model.safetensors"), old / "pytorch_model.bin")
    imported, _ = import_setfit(old, tmp_path / "bundle")
    found = imported.head.probabilities(imported.vectors(TEXTS))
    assert np.allclose(found, told_by(model), atol=1e-4)
    torch.save({"weight": Hostile(tmp_path / "touched")}, old / "pytorch_model.bin")
    with pytest.raises(UserError, match="nothing in it was run"):
        import_setfit(old, tmp_path / "again")
    assert not (tmp_path / "touched").exists()
    assert not (tmp_path / "again").exists()


class Hostile:
    """Runs a command when it is unpickled by who believes it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.path}",)


def test_the_hostile_pickle_would_have_run(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Hostile(tmp_path / "touched")))
    assert (tmp_path / "touched").exists()


HOSTILE = ("joblib", "nested", "protocol 0", "protocol 2", "protocol 4", "a name with dots", "eval")


def hostile_streams(path: Path) -> dict[str, bytes]:
    from sklearn.linear_model import LogisticRegression

    inside = LogisticRegression()
    inside.coef_ = np.array([Hostile(path)], dtype=object)  # joblib puts a pickle into the pickle
    streams = {"joblib": io.BytesIO(), "nested": io.BytesIO()}
    joblib.dump(Hostile(path), streams["joblib"])
    joblib.dump(inside, streams["nested"])
    found = {name: stream.getvalue() for name, stream in streams.items()}
    for protocol in (0, 2, 4):
        found[f"protocol {protocol}"] = pickle.dumps([Hostile(path)], protocol=protocol)
    found["a name with dots"] = b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.__init__\x93."
    found["eval"] = b"cbuiltins\neval\n(S'open(\"" + str(path).encode() + b'", "w")\'\ntR.'
    return found


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pickle_does_not_run(
    trained: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    _, source = trained("numbered")
    bad = tmp_path / "bad"
    bad.mkdir()
    for path in source.glob("*.json"):
        (bad / path.name).write_bytes(path.read_bytes())
    (bad / "model_head.pkl").write_bytes(hostile_streams(tmp_path / "touched")[name])
    with pytest.raises(UserError, match="nothing in it was run: it asks for"):
        import_setfit(bad, tmp_path / "bundle")
    assert not (tmp_path / "touched").exists()
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("content", [b"", b"\x80\x04", b"no pickle", pickle.dumps({"a": 1})])
def test_what_is_no_classifier_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "head.pkl").write_bytes(content)
    with pytest.raises(UserError, match=r"not read|holds dict"):
        read_pickle(tmp_path / "head.pkl")


def test_heads_that_are_not_linear_are_refused(trained: Callable[..., Any], tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.multioutput import ClassifierChain
    from sklearn.svm import SVC

    _, source = trained("numbered")
    bad = tmp_path / "bad"
    bad.mkdir()
    for path in source.glob("*.json"):
        (bad / path.name).write_bytes(path.read_bytes())
    X = np.random.default_rng(0).normal(size=(24, 32))
    wide = LogisticRegression().fit(X, NUMBERS)
    wide.classes_ = np.array([0, 1, 9])
    heads = {
        "ClassifierChain is not among": ClassifierChain(LogisticRegression()).fit(X, answers("multi-output")),
        "asks for sklearn.svm": SVC().fit(X, NUMBERS),
        "LogisticRegression without 'coef_'": LogisticRegression(),
        "answers 10 classes, the configuration names 3": wide,
    }  # fmt: skip
    for message, head in heads.items():
        joblib.dump(head, bad / "model_head.pkl")
        with pytest.raises(UserError, match=message):
            import_setfit(bad, tmp_path / "bundle")


def test_a_head_of_another_encoder_and_other_code_are_refused(
    trained: Callable[..., Any], tmp_path: Path
) -> None:
    from sklearn.linear_model import LogisticRegression

    _, source = trained("numbered")
    joblib.dump(LogisticRegression().fit(np.eye(24), NUMBERS), tmp_path / "other.pkl")
    bad = tmp_path / "bad"
    bad.mkdir()
    for path in source.rglob("*"):
        if path.is_file():
            (bad / path.relative_to(source)).parent.mkdir(exist_ok=True)
            (bad / path.relative_to(source)).write_bytes(path.read_bytes())
    (bad / "model_head.pkl").write_bytes((tmp_path / "other.pkl").read_bytes())
    with pytest.raises(UserError, match="reads 24 numbers, the encoder gives 32"):
        import_setfit(bad, tmp_path / "bundle")
    modules = json.loads((bad / "modules.json").read_text())
    modules[1]["type"] = "evil.Pooling"
    (bad / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(UserError, match=r"evil\.Pooling"):
        import_setfit(bad, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_the_commands(trained: Callable[..., Any], tmp_path: Path) -> None:
    _, source = trained("one-vs-rest")
    bundle, out = str(tmp_path / "bundle"), str(tmp_path / "out")
    run = CliRunner().invoke
    told = run(app, ["import-setfit", str(source), "--out", bundle])
    assert told.exit_code == 0, told.output
    assert "bug, feature, question" in told.output
    issues = write_rows(tmp_path / "issues.jsonl", ROWS[:3])
    lines = run(app, ["predict", bundle, "--issues", str(issues)]).output.splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["number"] for row in rows] == [0, 1, 2]
    assert all(set(row["probabilities"]) == set(NAMES) for row in rows)
    assert rows[0]["probabilities"]["question"] == 0.0
    assert run(app, ["export-setfit", bundle, "--out", out]).exit_code == 0
    refused = run(app, ["export-setfit", bundle, "--out", out])
    assert refused.exit_code == 2
    assert "holds something" in refused.output


def test_changed_files_and_other_bundles_are_refused(
    trained: Callable[..., Any], tmp_path: Path, tiny_bundle: Path
) -> None:
    _, source = trained("named")
    imported, _ = import_setfit(source, tmp_path / "bundle")
    path = tmp_path / "bundle" / SETFIT / HEAD
    other = replace(imported.head, intercepts=imported.head.intercepts + 1)
    path.write_bytes(other.to_bytes())
    assert read_head(path).maker == "logistic"
    with pytest.raises(UserError, match=r"was changed or cut short.*import the SetFit model again"):
        read_imported(tmp_path / "bundle")
    path.write_bytes(b"short")
    with pytest.raises(UserError, match="not a head"):
        read_head(path)
    with pytest.raises(UserError, match="without a SetFit head"):
        export_setfit(tiny_bundle, tmp_path / "out")
    with pytest.raises(UserError, match=r"model_head\.pkl is missing"):
        import_setfit(tmp_path, tmp_path / "other")

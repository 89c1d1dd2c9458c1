"""Champion against challenger on real bundles, tiny ones: what is measured, what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

from bot.classify.build import build_bundle
from bot.classify.bundle import read_bundle, write_manifest
from bot.classify.head import Learned, learn
from bot.classify.history import History
from bot.classify.seen import PROVENANCE, Provenance
from bot.core.text import TEXT_VERSION
from bot.errors import UserError
from tests.training.dated import START, cut_rows, dated_rows
from tests.training.tiny import write_rows
from training.cli import app
from training.judge import redraw, showing
from training.judge.card import model_card, spent_on
from training.judge.evaluate import CONTENDERS, Evaluation, evaluate
from training.judge.gate import Terms, judge
from training.judge.report import write_report
from training.judge.showing import _honoured
from training.snapshot.read import Snapshot, SnapshotCorrection

HOSTILE = 'a/<script>alert("x")</script>'


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    rows = dated_rows(200, unlabelled=0.1) + dated_rows(90, repo=HOSTILE)
    return cut_rows(tmp_path_factory.mktemp("evaluated"), rows)


@pytest.fixture(scope="module")
def other_bundle(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("other")
    weights = Path(shutil.copytree(tiny_weights, folder / "weights"))
    rng = np.random.default_rng(1)
    tensors = load_file(weights / "model.safetensors")
    noisy = {
        name: (value + 0.3 * rng.normal(size=value.shape)).astype(np.float32)
        for name, value in tensors.items()
    }
    save_file(noisy, weights / "model.safetensors")
    build_bundle(weights, folder / "bundle")
    return folder / "bundle"


@pytest.fixture(scope="module")
def evaluation(snapshot: Snapshot, tiny_bundle: Path, other_bundle: Path) -> Evaluation:
    return evaluate(snapshot, tiny_bundle, other_bundle, resamples=100)


def test_all_three_are_measured_on_the_same_issues(
    evaluation: Evaluation, snapshot: Snapshot
) -> None:
    found = evaluation.as_dict()["contenders"]
    judged = snapshot.manifest.counts["evaluate"]
    assert [found[name]["overall"]["issues"] for name in CONTENDERS] == [judged] * 3
    assert set(found["champion"]["repositories"]) == {"a/one", HOSTILE}
    # Words alone tell these labels; nothing but their names does not.
    assert found["champion"]["overall"]["macro_f1"] > 0.8
    assert found["zero-shot"]["overall"]["macro_f1"] < 0.7
    assert found["zero-shot"]["overall"]["served"]["applied"] == 0


def test_nothing_of_the_evaluation_part_is_learned_from(
    evaluation: Evaluation, snapshot: Snapshot, tiny_bundle: Path, other_bundle: Path
) -> None:
    turned = tuple(
        replace(
            data,
            known=np.where(
                [[issue.part == "evaluate"] for issue in data.issues], -data.known, data.known
            ),
        )
        for data in snapshot.repositories
    )
    again = evaluate(replace(snapshot, repositories=turned), tiny_bundle, other_bundle, resamples=2)
    for name in CONTENDERS:
        for repo, found in again.shown[name].items():
            before = evaluation.shown[name][repo].judged
            assert np.array_equal(found.judged.probabilities, before.probabilities)
            assert np.array_equal(found.judged.known, -before.known)


def test_heads_are_told_what_their_encoder_learned_from(
    snapshot: Snapshot,
    tiny_weights: Path,
    tiny_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of one repository half, of the other nothing; and each contender of its own."""
    told: list[int | None] = []

    def fit(history: History, *args: Any, **more: Any) -> Learned:
        told.append(None if history.seen is None else int(history.seen.sum()))
        return learn(history, *args, **more)

    monkeypatch.setattr(showing, "learn", fit)
    weights = Path(shutil.copytree(tiny_weights, tmp_path / "weights"))
    middle = snapshot.repository("a/one").take("train", "unlabelled").issues[49].created_at
    (weights / PROVENANCE).write_text(Provenance(("abc",), {"a/one": middle}).text())
    build_bundle(weights, tmp_path / "bundle")
    found = evaluate(snapshot, tiny_bundle, tmp_path / "bundle", resamples=2)
    assert told == [None] * 5 + [50], "champion and zero-shot of both, challenger of both"
    labelled = {data.name: len(data.take("train").issues) for data in snapshot.repositories}
    shown = found.shown["challenger"]
    assert {name: one.labelled for name, one in shown.items()} == labelled
    assert shown[HOSTILE].unseen == labelled[HOSTILE]
    left = sum(labelled.values()) - sum(one.unseen for one in shown.values())
    write_report(
        tmp_path / "report", found, found.case("1"), judge(found.case("1")), card="# A card"
    )
    report = (tmp_path / "report" / "report.md").read_text()
    assert f"The challenger's encoder learned from {left} of the {sum(labelled.values())}" in report
    assert "The champion's encoder learned" not in report


def test_a_past_that_is_drawn_once_covers_what_serves(
    snapshot: Snapshot, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redraw, "DRAWN", np.ones((1, redraw.GROUPS), dtype=np.int64))
    found = evaluate(snapshot, tiny_bundle, tiny_bundle, resamples=2)
    judged = found.shown["champion"]["a/one"].judged
    assert judged.applied.any(), "or this test shows nothing"
    assert np.array_equal(judged.covered, judged.applied.any(axis=1)[None])


def test_a_bundle_against_itself_changes_nothing_and_is_not_tried(
    snapshot: Snapshot, tiny_bundle: Path
) -> None:
    found = evaluate(snapshot, tiny_bundle, tiny_bundle, resamples=20)
    assert (found.coverage.value, found.macro_f1.value) == (0, 0)
    assert not judge(found.case("1")).tried


def test_corrections_are_a_regression_suite(
    snapshot: Snapshot, tiny_bundle: Path, other_bundle: Path
) -> None:
    data = snapshot.repositories[0]
    names = [spec.name for spec in data.specs]
    removal = SnapshotCorrection(data.issues[0].id, "removal", names[0], None, 1.0, START)
    addition = replace(removal, kind="addition", removed=None, added=names[1])
    swap = replace(removal, kind="swap", removed=names[0], added=names[1])
    gone = replace(removal, removed="no such label")
    changed = replace(data, corrections=(removal, addition, swap, gone))
    applied = np.array([[True, False, False], [False, True, False], [False, True, True]] * 2)
    first = _honoured(changed, applied[:4], names)
    assert first.tolist() == [False, True, True, True]
    assert _honoured(changed, applied[1:5], names).tolist() == [True, True, False, True]
    found = evaluate(
        replace(snapshot, repositories=(changed, *snapshot.repositories[1:])),
        tiny_bundle,
        other_bundle,
        resamples=2,
    )
    assert found.corrections()[0] == 4
    assert found.shown["zero-shot"][data.name].honoured.tolist() == [True, False, False, True]


def test_the_case_tells_the_gate_what_it_needs(evaluation: Evaluation) -> None:
    case = evaluation.case("run-7")
    assert set(case.windows) == set(case.served) == set(case.issues) == {"a/one", HOSTILE}
    verdict = judge(case, terms=replace(Terms(), least_issues=20, least_positives=20))
    assert verdict.tried
    assert not judge(case).promote  # fewer than 200 issues
    assert "too few to tell" in judge(case).reasons[0]


def test_a_bundle_with_a_wrong_hash_is_refused(
    snapshot: Snapshot, tiny_bundle: Path, tmp_path: Path
) -> None:
    broken = Path(shutil.copytree(tiny_bundle, tmp_path / "broken"))
    model = broken / "model.int8.onnx"
    model.write_bytes(model.read_bytes()[:-1])
    for pair in ((tiny_bundle, broken), (broken, tiny_bundle)):
        with pytest.raises(UserError, match="was changed or cut short"):
            evaluate(snapshot, *pair, resamples=2)


def test_a_bundle_for_another_issue_text_is_refused(
    snapshot: Snapshot, tiny_bundle: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(tiny_bundle, tmp_path / "other"))
    write_manifest(other, replace(read_bundle(other).manifest, text_version=TEXT_VERSION + 1))
    with pytest.raises(UserError, match=f"issue texts of version {TEXT_VERSION + 1}.*build it"):
        evaluate(snapshot, tiny_bundle, other, resamples=2)


def test_no_evaluation_part_keeps_the_champion(
    tiny_bundle: Path, other_bundle: Path, tmp_path: Path
) -> None:
    small = cut_rows(tmp_path, dated_rows(30))
    found = evaluate(small, tiny_bundle, other_bundle, resamples=2)
    verdict = judge(found.case("1"))
    assert not verdict.tried
    assert "0 evaluation issues with 0 labels" in verdict.reasons[0]
    write_report(tmp_path / "report", found, found.case("1"), verdict, card="")
    assert "0 evaluation issues" in (tmp_path / "report" / "report.md").read_text()


def test_the_report_is_whole_and_escaped(evaluation: Evaluation, tmp_path: Path) -> None:
    case = evaluation.case("run-1")
    verdict = judge(case)
    write_report(tmp_path / "out", evaluation, case, verdict, card="# card\n")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert page.count("<svg") == 3
    assert "http://www.w3.org/2000/svg" in page
    assert "src=" not in page  # stands alone
    text = (tmp_path / "out" / "report.md").read_text()
    assert "<script" not in text
    assert verdict.reasons[0] in text
    for plot in (tmp_path / "out" / "plots").iterdir():
        assert f"plots/{plot.name}" in text
        ElementTree.parse(plot)
    kept = json.loads((tmp_path / "out" / "verdict.json").read_text())
    assert kept["promoted"] is False
    listed = json.loads((tmp_path / "out" / "manifest.json").read_text())["files"]
    assert set(listed) > {"report.html", "evaluation.json", "plots/precision.svg"}


def test_the_twin_is_named_and_what_the_terms_bring(
    snapshot: Snapshot, tiny_bundle: Path, other_bundle: Path, tmp_path: Path
) -> None:
    found = evaluate(snapshot, tiny_bundle, other_bundle, twin=tiny_bundle, resamples=50)
    case = found.case("1")
    assert found.over_twin["macro F1"].value == pytest.approx(found.macro_f1.value)
    assert case.over_twin is not None
    write_report(tmp_path / "out", found, case, judge(case), card="")
    for name in ("report.md", "report.html"):
        text = (tmp_path / "out" / name).read_text()
        assert f"is {read_bundle(tiny_bundle).manifest.bundle_id}: the terms bring" in text
        assert "Challenger minus its supervised twin" in text


def test_a_reader_finds_how_much_evidence_there_was(evaluation: Evaluation, tmp_path: Path) -> None:
    case = evaluation.case("1")
    write_report(tmp_path / "out", evaluation, case, judge(case), card="")
    lines = (tmp_path / "out" / "report.md").read_text().splitlines()
    judging = lines[lines.index("## The issues that judge") :]
    (one,) = (line for line in judging if line.startswith("| a/one |") and " to 20" in line)
    part = evaluation.shown["champion"]["a/one"].judged.known
    assert one.split(" | ")[1:3] == [str(len(part)), str((part != 0).any(axis=1).sum())]
    assert "no past corrections" in "".join(lines)
    assert any(line.startswith("| macro F1 |") for line in lines)


def test_a_full_disk_leaves_no_half_report(
    evaluation: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("training.judge.report._write_manifest", full)
    case = evaluation.case("1")
    with pytest.raises(UserError, match="No space left"):
        write_report(tmp_path / "out", evaluation, case, judge(case), card="")
    assert list(tmp_path.iterdir()) == []


def test_the_card_tells_data_limits_licence_and_carbon(
    evaluation: Evaluation, other_bundle: Path
) -> None:
    done = {"seconds": 3600.0, "device": "cuda (bf16)", "ranks": 2}
    spent = spent_on(done, cpu_seconds=0.0)
    assert spent.watt_hours == 1000
    assert spent.grams == 400
    card = model_card(
        evaluation,
        judge(evaluation.case("1")),
        read_bundle(other_bundle).manifest,
        recipe={"epochs": 4},
        spent=spent,
    )
    for said in ("license: cc0-1.0", evaluation.snapshot.id, "epochs: 4", "## Limits", "1000.0 Wh"):
        assert said in card


def test_the_commands_from_file_to_verdict(
    tmp_path: Path, tiny_bundle: Path, other_bundle: Path
) -> None:
    file = write_rows(tmp_path / "issues.jsonl", dated_rows(120))
    cut, out = str(tmp_path / "cut"), str(tmp_path / "out")
    asked = ["snapshot", "--issues", str(file), "--out", cut]
    assert CliRunner().invoke(app, asked).exit_code == 0
    bundles = ["--champion", str(tiny_bundle), "--challenger", str(other_bundle)]
    judged = ["evaluate", "--snapshot", cut, *bundles, "--out", out]
    found = CliRunner().invoke(app, judged)
    assert found.exit_code == 0
    assert "The champion stays" in found.output
    past = ["--past", str(tmp_path / "out" / "verdict.json"), "--run", "2"]
    assert CliRunner().invoke(app, [*judged, *past]).exit_code == 0
    wrong = CliRunner().invoke(app, [*judged, "--backend", "int4"])
    assert wrong.exit_code == 2
    (tmp_path / "cut" / "issues.parquet").write_bytes(b"")
    refused = CliRunner().invoke(app, judged)
    assert refused.exit_code == 2
    assert "was changed or cut short" in refused.output
    after = CliRunner().invoke(app, [*asked, "--after", str(tmp_path / "nowhere")])
    assert after.exit_code == 2

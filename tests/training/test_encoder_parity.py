"""The bundle against sentence-transformers, on the same weights and on texts of every kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from bot.classify.build import MAX_TOKENS, build_bundle
from bot.classify.bundle import read_bundle
from bot.classify.encoder import Encoder
from bot.classify.samples import SAMPLES
from bot.classify.weights import find_base_weights

TRACE = "\n".join(
    f'  File "/srv/app/module_{n}.py", line {n * 7}, in step_{n}\n    return run(context, depth={n})'
    for n in range(60)
)
OTHERS: tuple[str, ...] = (
    "",
    " \n\t ",
    "bug",
    "🐛🔥🚀",
    "NullPointerException",
    "v1.2.3-rc.4+build.5",
    "https://example.test/a/very/long/path?with=query&and=more#fragment",
    "x" * 150,
    "=" * 400,
    "a " * 600,
    "Crash on start\n\nTraceback (most recent call last):\n" + TRACE + "\nRecursionError: too deep",
    "The page is slow. " * 200,
    "const f = async (xs) => { for await (const x of xs) { yield x ** 2; } };",
    "SELECT u.id, count(*) FROM users u LEFT JOIN orders o ON o.user_id = u.id GROUP BY 1 HAVING n > 3;",
    'fn main() -> Result<(), Box<dyn Error>> { let x: &\'static str = "hi"; Ok(()) }',
    "$ kubectl get pods -A | grep CrashLoop\nns-1 web-5d9c 0/1 CrashLoopBackOff 17 (2m ago) 3h",
    "|a|b|\n|-|-|\n|1|2|\n|3|4|",
    "- [x] searched\n- [ ] not a duplicate\n- [ ] can reproduce on main",
    "Grüße aus Köln: Umlaute werden beim Speichern zerstört (ä → Ã¤)",
    "L'application se ferme dès qu'on clique sur « Enregistrer »",
    "La búsqueda no encuentra palabras con tilde",
    "検索結果が空になる。バージョン2.1では動いていました。",
    "버튼을 누르면 앱이 종료됩니다",
    "التطبيق لا يعمل بعد التحديث الأخير",
    "e\u0301 and é are one letter; ﬁ is a ligature; \u200bzero width\u200b",
)
TEXTS = (*SAMPLES, *OTHERS)


@pytest.fixture(scope="module")
def reference() -> np.ndarray:
    """What sentence-transformers makes of the texts, one at a time so that nothing is padded."""
    model = SentenceTransformer(str(find_base_weights()), device="cpu")
    model.max_seq_length = MAX_TOKENS
    return np.asarray(model.encode(list(TEXTS), batch_size=1, normalize_embeddings=True))


def cosines(encoder: Encoder, reference: np.ndarray) -> np.ndarray:
    return np.asarray((encoder.encode(TEXTS) * reference).sum(axis=1))


def test_fp32_is_the_same_model(bundle: Path, reference: np.ndarray) -> None:
    encoder = Encoder.open(bundle, backend="fp32")
    assert cosines(encoder, reference).min() > 0.9999


def test_int8_is_close(encoder: Encoder, reference: np.ndarray) -> None:
    assert encoder.backend == "int8"
    found = cosines(encoder, reference)
    assert found.min() > 0.98
    assert np.median(found) > 0.995


def test_golden_vectors_are_those_of_the_reference(bundle: Path, reference: np.ndarray) -> None:
    assert read_bundle(bundle).manifest.golden_texts == TEXTS[: len(SAMPLES)]
    golden = Encoder.open(bundle, backend="fp32")
    assert golden.agreement(reference[: len(SAMPLES)]) > 0.9999


def test_reads_what_sentence_transformers_saves_today(
    tmp_path: Path, reference: np.ndarray
) -> None:
    """Its layout of files changes between versions; a fine-tuned encoder arrives in the newest."""
    SentenceTransformer(str(find_base_weights()), device="cpu").save(str(tmp_path / "saved"))
    saved = build_bundle(tmp_path / "saved", tmp_path / "bundle")
    assert saved.manifest.max_tokens == MAX_TOKENS
    encoder = Encoder.open(tmp_path / "bundle", backend="fp32")
    assert cosines(encoder, reference).min() > 0.9999

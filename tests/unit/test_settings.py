"""Settings: environment in, values out; what is unusable is named as the person spelled it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from bot.errors import UserError
from bot.settings import Settings, load_settings

Set = Callable[..., Settings]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Set:
    """Settings from these variables and no others; names without their prefix."""
    for name in os.environ:
        if name.startswith("LABELWRIGHT_") or name == "DATABASE_URL":
            monkeypatch.delenv(name)

    def load(**variables: str) -> Settings:
        for name, value in variables.items():
            full = name if name == "DATABASE_URL" else f"LABELWRIGHT_{name}"
            monkeypatch.setenv(full, value)
        return load_settings()

    return load


def test_nothing_set_is_a_laptop(load: Set) -> None:
    settings = load()
    assert settings.database_url is None
    assert settings.data_dir == Path("~/.local/share/labelwright").expanduser()
    assert settings.bundle_dir == settings.data_dir / "bundles" / "base"
    assert (settings.host, settings.write_interval) == ("127.0.0.1", 1.0)
    assert settings.github_api_url == "https://api.github.com"


def test_the_database_url_has_no_prefix(load: Set) -> None:
    assert load(DATABASE_URL="postgresql://h/d").database_url == "postgresql://h/d"


def test_paths_are_expanded(load: Set) -> None:
    settings = load(DATA_DIR="~/x", BUNDLE="~/y", GITHUB_PRIVATE_KEY_FILE="~/z.pem")
    home = Path.home()
    found = (settings.data_dir, settings.bundle_dir, settings.github_private_key_file)
    assert found == (home / "x", home / "y", home / "z.pem")


@pytest.mark.parametrize(
    ("written", "read"), [("one", ["one"]), ("new, old ,", ["new", "old"]), ("", [])]
)
def test_secrets_are_a_list(load: Set, written: str, read: list[str]) -> None:
    found = load(WEBHOOK_SECRETS=written).webhook_secrets
    assert [secret.get_secret_value() for secret in found] == read


def test_secrets_stay_out_of_sight(load: Set) -> None:
    settings = load(WEBHOOK_SECRETS="hush-hook", GITHUB_PRIVATE_KEY="hush-key")
    assert settings.private_key == "hush-key"
    assert "hush" not in repr(settings) + str(settings) + settings.model_dump_json()


def test_the_key_comes_from_a_file(load: Set, tmp_path: Path) -> None:
    file = tmp_path / "app.pem"
    file.write_text("a key")
    assert load(GITHUB_PRIVATE_KEY_FILE=str(file)).private_key == "a key"


def test_a_missing_key_says_what_to_set(load: Set, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Set LABELWRIGHT_GITHUB_PRIVATE_KEY_FILE"):
        _ = load().private_key
    absent = tmp_path / "absent.pem"
    with pytest.raises(UserError, match=r"cannot read .*absent\.pem: No such file"):
        _ = load(GITHUB_PRIVATE_KEY_FILE=str(absent)).private_key


def test_the_app_id_is_asked_for(load: Set) -> None:
    with pytest.raises(UserError, match="LABELWRIGHT_GITHUB_APP_ID"):
        load().require_app_id()
    assert load(GITHUB_APP_ID="7").require_app_id() == 7


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("PORT", "http"),
        ("BACKEND", "int4"),
        ("WRITE_INTERVAL", "-1"),
        ("WORKER_CONCURRENCY", "0"),
        ("ENCODER_THREADS", "0"),
        ("SETTLING_DAYS", "-1"),
        ("LOG_LEVEL", "LOUD"),
        ("GITHUB_APP_ID", "labelwright"),
    ],
)
def test_an_unusable_value_is_named(load: Set, name: str, value: str) -> None:
    with pytest.raises(UserError, match=f"^LABELWRIGHT_{name}: "):
        load(**{name: value})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("AGENT_TOKEN", "LABELWRIGHT_AGENT_TOKENS"),
        ("DATADIR", "LABELWRIGHT_DATA_DIR"),
        ("DATABASE_URL", "DATABASE_URL"),
    ],
)
def test_a_name_that_is_nearly_a_setting_is_told(
    load: Set, monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.setenv(f"LABELWRIGHT_{name}", "x")
    with pytest.raises(UserError, match=f"^LABELWRIGHT_{name} is no .* mean {meant}\\?$"):
        load()


def test_what_a_platform_sets_is_let_be(load: Set) -> None:
    load(SERVICE_HOST="10.0.0.1", SERVICE_PORT="8080", PORT_8080_TCP="tcp://10.0.0.1:8080")


def test_an_error_does_not_repeat_a_secret(load: Set) -> None:
    with pytest.raises(UserError) as caught:
        load(GITHUB_APP_ID="hush-secret-in-the-wrong-place")
    assert "hush" not in str(caught.value)


def test_nobody_changes_them_afterwards(load: Set) -> None:
    settings = load()
    with pytest.raises(ValidationError):
        settings.port = 1


def test_every_setting_is_described() -> None:
    assert [n for n, field in Settings.model_fields.items() if not field.description] == []

"""Settings: the only reader of the environment. Everything else gets a `Settings` passed down."""

from __future__ import annotations

import os
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bot.errors import UserError

PREFIX = "LABELWRIGHT_"


class Settings(BaseSettings):
    """Every setting with its default. Environment names are `LABELWRIGHT_` + the upper-case field name;
    `DATABASE_URL` is read without the prefix, as every platform spells it so."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    data_dir: Path = Field(
        default=Path("~/.local/share/labelwright"),
        description="Embedded database, bundles and artefacts live here",
    )
    database_url: str | None = Field(
        default=None,
        validation_alias="DATABASE_URL",
        description="PostgreSQL 15+ with pgvector; embedded server under the data directory if unset",
    )
    github_api_url: str = Field(
        default="https://api.github.com", description="REST API of GitHub or GHES"
    )
    github_app_id: int | None = Field(default=None, description="Id of the GitHub App")
    github_private_key: SecretStr | None = Field(default=None, description="PEM of the App's key")
    github_private_key_file: Path | None = Field(
        default=None, description="File with that PEM instead"
    )
    github_token: SecretStr | None = Field(
        default=None,
        validation_alias="GITHUB_TOKEN",
        description="Token that `labelwright preview` reads a repository with; nothing else uses it",
    )
    webhook_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="Comma-separated; the first signs, all verify, so that one can be rotated",
    )
    host: str = Field(default="127.0.0.1", description="Address the receiver listens on")
    port: int = Field(default=8080, ge=0, le=65535, description="Port the receiver listens on")
    bundle: Path | None = Field(
        default=None,
        description="Directory of the bundle that serves until one is promoted; `<data_dir>/bundles/base` if unset",
    )
    backend: Literal["int8", "fp32"] = Field(
        default="int8", description="Which graph of the bundle serves"
    )
    encoder_threads: int = Field(default=1, ge=1, description="Threads of one encoder session")
    worker_concurrency: int = Field(default=4, ge=1, description="Jobs a worker runs at once")
    write_interval: float = Field(
        default=1.0,
        ge=0,
        description="Seconds between two writes to one installation (GitHub asks for 1)",
    )
    settling_days: float = Field(
        default=7.0, ge=0, description="Days after which the labels of an issue count as settled"
    )
    agent_tokens: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="Comma-separated tokens that let GPU boxes fetch retraining runs; no such door if unset",
    )
    retrain_cron: str = Field(
        default="23 4 * * 0",
        description="When `labelwright-train schedule` retrains, as a cron line (UTC)",
    )
    retrain_after: int = Field(
        default=500,
        ge=0,
        description="New corrections that are worth a run before that; 0: only the clock counts",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Log level"
    )

    @field_validator("webhook_secrets", "agent_tokens", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("data_dir", "github_private_key_file", "bundle", mode="after")
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        return value.expanduser() if value is not None else None

    @property
    def bundle_dir(self) -> Path:
        """What serves while no bundle was ever promoted."""
        return self.bundle or self.bundles_dir / "base"

    @property
    def bundles_dir(self) -> Path:
        """Where bundles live; every worker reaches it by this path."""
        return self.data_dir / "bundles"

    @property
    def training_dir(self) -> Path:
        """Snapshots, runs and the bundles they made."""
        return self.data_dir / "training"

    @cached_property
    def private_key(self) -> str:
        """The App's PEM, from whichever of the two settings names it."""
        if self.github_private_key is not None:
            return self.github_private_key.get_secret_value()
        if self.github_private_key_file is not None:
            try:
                return self.github_private_key_file.read_text()
            except OSError as error:
                raise UserError(
                    f"LABELWRIGHT_GITHUB_PRIVATE_KEY_FILE: cannot read {self.github_private_key_file}: "
                    f"{error.strerror}"
                ) from error
        raise UserError(
            "Set LABELWRIGHT_GITHUB_PRIVATE_KEY_FILE to the PEM file that GitHub gave you for the App"
        )

    def require_webhook_secrets(self) -> list[str]:
        if not self.webhook_secrets:
            raise UserError("Set LABELWRIGHT_WEBHOOK_SECRETS to the App's webhook secret")
        return [secret.get_secret_value() for secret in self.webhook_secrets]

    def require_app_id(self) -> int:
        if self.github_app_id is None:
            raise UserError("Set LABELWRIGHT_GITHUB_APP_ID to the id on the App's settings page")
        return self.github_app_id


def load_settings() -> Settings:
    """Settings from the environment.

    Raises:
        UserError: a value is unusable, or a name misspelt; the message names the variable.
    """
    _check_names()
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else "?"
        name = field if field == "DATABASE_URL" else f"{PREFIX}{field.upper()}"
        raise UserError(f"{name}: {first['msg']}") from None


def _check_names() -> None:
    """UserError for a variable that is nearly a setting. Others pass: platforms set some of our prefix, too
    (Kubernetes does for a Service of our name)."""
    fields = Settings.model_fields.items()
    known = [str(field.validation_alias or f"{PREFIX}{name.upper()}") for name, field in fields]
    spelled = {name if name.startswith(PREFIX) else f"{PREFIX}{name}": name for name in known}
    for name in os.environ:
        near = get_close_matches(name, spelled, n=1, cutoff=0.9)
        if name.startswith(PREFIX) and near and name not in known:
            raise UserError(f"{name} is no setting. Did you mean {spelled[near[0]]}?")

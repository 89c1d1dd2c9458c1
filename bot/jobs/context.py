"""What every task needs, built once per worker: database, GitHub access, encoder, heads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

from sqlalchemy.orm import Session

from bot.classify.counted import WordCache
from bot.classify.encoder import Encoder
from bot.classify.head import Head
from bot.classify.registry import HeadCache
from bot.github.app import AppAuth
from bot.github.client import InstallationClient
from bot.settings import Settings
from bot.store import heads
from bot.store.engine import Database


class VectorKey(TypedDict):
    """Under what a vector is kept: another encoder, graph or text gives another vector."""

    bundle: str
    backend: str
    text_version: int


@dataclass(frozen=True)
class Context:
    """Passed down to every task; holds no state but what spares work."""

    database: Database
    auth: AppAuth
    encoder: Encoder
    heads: HeadCache
    settling_days: float
    write_interval: float
    words: WordCache = field(default_factory=WordCache)

    @property
    def vector_key(self) -> VectorKey:
        return {
            "bundle": self.encoder.bundle_id,
            "backend": self.encoder.backend,
            "text_version": self.encoder.text_version,
        }

    def client(self, installation_id: int) -> InstallationClient:
        return self.auth.client(installation_id)

    def head(self, session: Session, head_id: int) -> Head:
        """A stored head, from memory where it was used lately. LookupError for an unknown one."""

        def read() -> bytes:
            stored = heads.get(session, head_id)
            if stored is None or stored.artefact is None:
                raise LookupError(f"head {head_id} is gone")
            return stored.artefact

        return self.heads.get(head_id, read)


def open_context(settings: Settings, database: Database) -> Context:
    """Open what the settings name.

    Raises:
        UserError: App id, key or bundle is missing or unusable.
    """
    return Context(
        database=database,
        auth=AppAuth(
            settings.require_app_id(), settings.private_key, api_url=settings.github_api_url
        ),
        encoder=Encoder.open(
            settings.bundle_dir, backend=settings.backend, threads=settings.encoder_threads
        ),
        heads=HeadCache(),
        settling_days=settings.settling_days,
        write_interval=settings.write_interval,
    )

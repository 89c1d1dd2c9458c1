"""What every task needs, built once per worker: database, GitHub access, encoders, heads."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from sqlalchemy.orm import Session

from bot.classify.counted import WordCache
from bot.classify.encoder import Encoder
from bot.classify.head import Head
from bot.classify.registry import EncoderCache, HeadCache
from bot.errors import UserError
from bot.github.app import AppAuth
from bot.github.client import InstallationClient
from bot.settings import Settings
from bot.store import bundles, heads
from bot.store.engine import Database
from bot.store.tables import Head as StoredHead

log = logging.getLogger(__name__)


class VectorKey(TypedDict):
    """Under what a vector is kept: another encoder, graph or text gives another vector."""

    bundle: str
    backend: str
    text_version: int


def key_of(encoder: Encoder) -> VectorKey:
    return {
        "bundle": encoder.bundle_id,
        "backend": encoder.backend,
        "text_version": encoder.text_version,
    }


@dataclass(frozen=True)
class Context:
    """Passed down to every task; holds no state but what spares work."""

    database: Database
    auth: AppAuth
    encoders: EncoderCache
    heads: HeadCache
    settling_days: float
    write_interval: float
    words: WordCache = field(default_factory=WordCache)

    @property
    def encoder(self) -> Encoder:
        """The champion's, by a transaction of its own."""
        with self.database.session() as session:
            return self.champion(session)

    def champion(self, session: Session) -> Encoder:
        """The encoder that serves wherever no other is said: of the bundle that was promoted last, or
        of the one in the settings while none ever was. UserError where it is not at hand."""
        row = bundles.champion(session)
        return self.encoder_of(session, row.id if row else self.encoders.first)

    def encoder_of(self, session: Session, bundle: str) -> Encoder:
        """Raises UserError: that bundle is not at hand here, or broken."""
        row = bundles.get(session, bundle)
        return self.encoders.get(bundle, Path(row.directory) if row else None)

    def encoder_for(self, session: Session, head: StoredHead | None) -> Encoder | None:
        """The encoder by whose vectors a stored head was fitted; None where it is not at hand."""
        if head is None:
            return None
        try:
            encoder = self.encoder_of(session, head.bundle)
        except UserError as error:
            log.warning("head %d cannot serve: %s", head.id, error)
            return None
        return encoder if encoder.backend == head.backend else None

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
    with database.session() as session:
        row = bundles.champion(session)
    encoder = Encoder.open(
        Path(row.directory) if row else settings.bundle_dir,
        backend=settings.backend,
        threads=settings.encoder_threads,
    )
    return Context(
        database=database,
        auth=AppAuth(
            settings.require_app_id(), settings.private_key, api_url=settings.github_api_url
        ),
        encoders=EncoderCache(encoder, backend=settings.backend, threads=settings.encoder_threads),
        heads=HeadCache(),
        settling_days=settings.settling_days,
        write_interval=settings.write_interval,
    )

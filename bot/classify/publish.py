"""Brings a bundle into the place that workers serve from, whole or not at all. Refuses one that is
damaged, made for another issue text, or that this machine cannot run."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path, PurePath

from bot.classify.bundle import MANIFEST, Bundle, publishing, read_bundle
from bot.classify.encoder import Encoder
from bot.core.text import TEXT_VERSION
from bot.errors import UserError


def publish(source: Path, into: Path) -> Bundle:
    """Copy the bundle at `source` to a directory of `into` that bears its id; one that is there whole
    already is left alone.

    Raises:
        UserError: it must not serve, or there is no room for it.
    """
    bundle = usable(source)
    out = into / bundle.manifest.bundle_id
    with suppress(UserError):
        return read_bundle(out, files=bundle.manifest.files)
    try:
        with publishing(out) as new:
            for name in (*bundle.manifest.files, MANIFEST):  # the manifest last
                shutil.copyfile(source / name, new / name)
            read_bundle(new, files=bundle.manifest.files)
    except OSError as error:
        raise UserError(
            f"Cannot copy {source} to {out}: {error.strerror or error}; nothing has changed"
        ) from None
    return Bundle(out, bundle.manifest)


def usable(directory: Path) -> Bundle:
    """The bundle, with every hash checked, and its golden vectors made here once.

    Raises:
        UserError: it is damaged, made for another issue text, or comes out differently on this machine.
    """
    bundle = read_bundle(directory)
    manifest = bundle.manifest
    if manifest.text_version != TEXT_VERSION:
        raise UserError(
            f"{directory} was built for issue text version {manifest.text_version}, and this version of"
            f" Labelwright makes version {TEXT_VERSION}: build it again with this one, or upgrade"
        )
    for name in manifest.files:
        if PurePath(name).name != name or name.startswith("."):
            raise UserError(f"{directory} lists {name!r}, which is no plain file of its own")
    read_bundle(directory, files=manifest.files)
    Encoder.open(directory).close()
    return bundle

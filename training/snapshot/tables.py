"""Columns on disk as Parquet, the same bytes for the same columns. The only module that meets pyarrow.

Refuses a file with other columns or types than were asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from bot.errors import UserError

Schema: TypeAlias = Mapping[str, str]
"""Column -> name of its Arrow type."""
Columns: TypeAlias = dict[str, list[Any]]

INSTALL = "Snapshots need pyarrow: pip install 'labelwright[training]'."


def write_table(path: Path, rows: Sequence[Mapping[str, Any]], schema: Schema) -> None:
    """One Parquet file, rows in their order."""
    arrow, parquet = _arrow()
    columns = {name: [row[name] for row in rows] for name in schema}
    fields = arrow.schema([(name, _type(arrow, kind)) for name, kind in schema.items()])
    parquet.write_table(
        arrow.table(columns, schema=fields), path, compression="zstd", store_schema=False
    )


def read_table(path: Path, schema: Schema, *, advice: str) -> Columns:
    """The columns of `schema`; UserError with `advice` if the file is broken or has others."""
    arrow, parquet = _arrow()
    try:
        with path.open("rb") as stream:
            table = parquet.read_table(stream)
    except (OSError, arrow.ArrowException) as error:
        raise UserError(
            f"{path} cannot be read as Parquet ({_first_line(error)}); {advice}"
        ) from None
    found = {field.name: str(field.type) for field in table.schema}
    wanted = {name: str(_type(arrow, kind)) for name, kind in schema.items()}
    if found != wanted:
        odd = sorted(name for name in found | wanted if found.get(name) != wanted.get(name))
        raise UserError(f"{path}: column {odd[0]!r} is not as this version writes it; {advice}")
    return {name: table.column(name).to_pylist() for name in schema}


def _type(arrow: Any, kind: str) -> Any:
    return arrow.timestamp("us", tz="UTC") if kind == "time" else getattr(arrow, kind)()


def _arrow() -> tuple[Any, Any]:
    """Heavy and of the training extra only, so not imported with this module."""
    try:
        import pyarrow  # type: ignore[import-not-found, import-untyped, unused-ignore]
        import pyarrow.parquet  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        raise UserError(INSTALL) from None
    return pyarrow, pyarrow.parquet


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

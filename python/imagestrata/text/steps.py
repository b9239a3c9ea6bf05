"""Steps that write texts about images."""

from __future__ import annotations

from ..steps import StepKind


def _texts(
    name: str, verb: str, product: str, tables: tuple[str, ...] = (), drawn: tuple[str, ...] = ()
) -> StepKind:
    tables, drawn = (product, *tables), ("keywords.csv", *drawn)
    return StepKind(name, verb, product, after=("scan",), tables=tables, drawn=drawn)


STEPS = (
    _texts("describe", "describe_images", "descriptions.parquet"),
    _texts("tag", "tag_images", "tags.parquet", ("tag-frequencies.csv",), ("tags.png",)),
    _texts("read", "read_text", "texts.parquet"),
)

"""Write names and values as R does."""

from __future__ import annotations

import math
import re
from typing import Any

from ..wording import Language, Name

#: Functions that have another name in R.
FUNCTIONS = {
    "ModelServer": "model_server",
    "LocalModel": "local_model",
    "Rekognition": "rekognition",
    "Embeddings.load": "read_embeddings",
    "Clustering.load": "read_clustering",
    "Clustering.from_labels": "as_clustering",
    "FineTunedModel.load": "read_model",
    "doctor": "imagestrata_doctor",
}
_KINDS = {
    "DataFrame": "a data frame",
    "Series": "a vector",
    "Index": "a vector",
    "ndarray": "a matrix",
    "Embeddings": "embeddings",
    "Clustering": "a clustering",
    "FineTunedModel": "a model",
    "ModelServer": "a model server",
    "LocalModel": "a local model",
    "dict": "a named list",
    "list": "a vector or list",
    "tuple": "a vector or list",
    "str": "text",
    "int": "a number",
    "float": "a number",
    "bool": "a logical value",
    "NoneType": "NULL",
}
_CONSTANTS = {None: "NULL", True: "TRUE", False: "FALSE"}


class RWords(Language):
    """The spelling of R by the tidyverse style guide."""

    def assignment(self, name: str, value: Any) -> str:
        return f"{name} = {self.value(value)}"

    def call(self, name: str, arguments: list[tuple[str, Any]]) -> str:
        return super().call(FUNCTIONS.get(name, name), arguments)

    def value(self, value: Any) -> str:
        if value is None or isinstance(value, bool):
            return _CONSTANTS[value]
        if isinstance(value, float) and math.isnan(value):
            return "NaN"
        if isinstance(value, float) and math.isinf(value):
            return "Inf" if value > 0 else "-Inf"
        if isinstance(value, float) and value.is_integer():
            return f"{value:.0f}"  # R sends whole numbers as doubles
        if isinstance(value, list | tuple):
            alike = all(isinstance(item, bool | int | float | str) for item in value)
            return f"{'c' if alike and value else 'list'}({', '.join(map(self.value, value))})"
        if isinstance(value, dict):
            pairs = (f"{_name(str(key))} = {self.value(item)}" for key, item in value.items())
            return f"list({', '.join(pairs)})"
        return super().value(value)

    def quoted(self, value: Any) -> str:
        return self.value(value)

    def install(self, extra: str) -> str:
        return f'`install_imagestrata(extras = "{extra}")`'

    def read_sheet(self, path: str) -> str:
        call = self.call("readxl::read_excel", [("", path)])
        return f", or read it with {call} and give the table"

    def type_name(self, name: str) -> str:
        return _KINDS.get(name) or super().type_name(name)


R = RWords()


def _name(text: str) -> str:
    """The name of an element of a list, in backticks if needed."""
    plain = re.fullmatch(r"[A-Za-z.][\w.]*", text)
    return text if plain or isinstance(text, Name) else f"`{text}`"

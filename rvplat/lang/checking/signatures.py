"""The types of parameters: annotated, or implied by the parameter's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rvplat.lang.define import Callee, Definition, Dispatch, LanguageError
from rvplat.lang.record import Record
from rvplat.lang.typed_ir.effects import Poll
from rvplat.lang.typed_ir.values import Pointer, value_type


class Signatures:
    """`implied` are the types of parameters without an annotation, by name. If one is a record that
    extends another (`Record.extended`), definitions that name the other use all fields and tables
    of the extension. `poll` is the call in each iteration of loops."""

    def __init__(self, implied: dict[str, Any], poll: Poll | None) -> None:
        self.implied = {name: value_type(kind) for name, kind in implied.items()}
        records = (kind for kind in implied.values() if isinstance(kind, Record))
        self.layouts = {record.core: record for record in records}
        self.poll = poll

    def layout(self, record: Record) -> Record:
        """The record that is used for a record that definitions name."""
        return self.layouts.get(record, record)

    def rows(self, table: Dispatch) -> Mapping[int, Definition]:
        """The rows of a table, without its default."""
        kind = self.parameter_type(table.args[0], "hart")
        return self.layout(kind.record).tables.get(table, {}) if isinstance(kind, Pointer) else {}

    def parameter_type(self, kind: Any, name: str) -> Any:
        """The type of an annotation, or the type implied by the name."""
        if kind is None or isinstance(kind, str):
            found = self.implied.get(name if kind is None else kind)
            if found is None:
                raise LanguageError(name, "the parameter has no type")
            return found
        return value_type(kind)

    def parameter_types(self, callee: Callee) -> list[Any]:
        """The types of a callee's parameters."""
        signature = callee.signature
        try:
            pairs = zip(signature.types, signature.names, strict=True)
            return [self.parameter_type(k, n) for k, n in pairs]
        except LanguageError as error:
            code = callee.function.__code__
            raise LanguageError(f"{code.co_filename}:{code.co_firstlineno}: {callee.name}",
                                  f"{error.where}: {error.problem}") from None  # fmt: skip

    def polls(self, definition: Definition) -> bool:
        """Whether loops in a definition's text poll."""
        return self.poll is not None and self.poll.applies(definition)

"""The types of parameters: annotated, or implied by the parameter's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rvplat.lang.define import Callee, Definition, Dispatch, LanguageError
from rvplat.lang.record import Record
from rvplat.lang.typed_ir.effects import Poll
from rvplat.lang.typed_ir.values import Pointer, value_type
from rvplat.lang.types import Integer, Standing


class Signatures:
    """`implied` are the types of parameters without an annotation, by name. If one is a record that
    extends another (`Record.extended`), definitions that name the other use all fields and tables
    of the extension. `poll` is the call in each iteration of loops. `stands_for` says what types
    stand for (`Standing`) if not for the usual one."""

    def __init__(
        self, implied: dict[str, Any], poll: Poll | None,
        stands_for: Mapping[type, type[Integer]] | None = None,
    ) -> None:  # fmt: skip
        self.stands_for = stands_for or {}
        self.implied = {name: self.value_type(kind) for name, kind in implied.items()}
        records = (kind for kind in implied.values() if isinstance(kind, Record))
        self.layouts = {record.core: record for record in records}
        self.poll = poll

    def value_type(self, kind: Any) -> Any:
        """The type of a value with this annotation (values.py), without `Standing` types."""
        if isinstance(kind, Standing):
            return self.stands_for.get(kind, kind.usual)
        return value_type(kind)

    def names(self, definition: Definition) -> dict[str, Any]:
        """The objects that a definition's names mean, without `Standing` types."""
        found = definition.globals
        named = {name: one for name, one in found.items() if isinstance(one, Standing)}
        return {**found, **{name: self.value_type(one) for name, one in named.items()}}

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
        return self.value_type(kind)

    def results(self, target: Callee | Dispatch) -> tuple[Any, ...]:
        """The types of the values of a call."""
        if isinstance(target, Dispatch):
            return () if target.returns is None else (self.value_type(target.returns),)
        return tuple(self.value_type(kind) for kind in target.signature.parts)

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

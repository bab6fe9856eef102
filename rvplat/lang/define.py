"""The language's functions: define, declare, implement, intrinsic, Dispatch, Unwind.

CPython runs a definition as it is written (the reference). `native/unit.py` makes native code from
the same text. This module does not import the compiler.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable, Container, Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, NoReturn, TypeVar, get_args, get_origin, overload

from rvplat.lang.record import rows_of
from rvplat.lang.source_text import read_source
from rvplat.lang.types import Integer, Standing, convert, s64, u64

__all__ = [
    "FIXED", "Declaration", "Definition", "Dispatch", "Intrinsic", "LanguageError", "NoReturn",
    "Unwind", "declare", "define", "implement", "intrinsic", "lanes",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])


class LanguageError(Exception):
    """A definition uses something that the language does not have. The message has file, line and
    construct."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.where = where
        self.problem = problem


class Unwind(Exception):
    """Base of the exceptions that a definition may raise. They have no arguments: the cause is in
    the state."""


class Signature:
    """Names and types of parameters (None: implied by the unit), and the type returned. `fixed` are
    the parameters on which native code is specialised."""

    def __init__(self, function: Callable[..., Any], without: Container[str] = ()) -> None:
        hints = _annotations(function)
        code = function.__code__
        names = code.co_varnames[: code.co_argcount]
        self.names: tuple[str, ...] = tuple(name for name in names if name not in without)
        self.types: tuple[Any, ...] = tuple(_bare(hints.get(name)) for name in self.names)
        self.fixed = frozenset(name for name in self.names if _is_fixed(hints.get(name)))
        self.returns: Any = hints.get("return")

    @property
    def never_returns(self) -> bool:
        return self.returns is NoReturn

    @property
    def parts(self) -> tuple[Any, ...]:
        """The types of the values returned: none, one, or a tuple's."""
        if self.returns is None or self.never_returns:
            return ()
        if get_origin(self.returns) is tuple:
            return get_args(self.returns)
        return (self.returns,)


FIXED = "fixed"
"""`Annotated[u64, FIXED]` is the type of a parameter that is a constant in each call. Native code
of the definition is made for each constant."""


_ALIAS: Any = type(Annotated[int, FIXED])


def _is_fixed(hint: Any) -> bool:
    return type(hint) is _ALIAS and FIXED in hint.__metadata__


def _bare(hint: Any) -> Any:
    return hint.__origin__ if type(hint) is _ALIAS else hint


def _annotations(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations as objects. Text is evaluated in the function's module."""
    result = {}
    for name, hint in function.__annotations__.items():
        if isinstance(hint, str):
            hint = eval(hint, function.__globals__)
        result[name] = hint
    return result


class Callee:
    """Something that definitions can call: it has a name, a signature and a meaning in CPython."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.name = function.__name__
        self.__doc__ = function.__doc__

    @cached_property
    def signature(self) -> Signature:
        """Made at first use: a start from the cache needs few signatures."""
        return Signature(self.function)

    @cached_property
    def _plain(self) -> bool:
        return self.signature.returns is None or self.signature.never_returns

    def __repr__(self) -> str:
        return f"<{type(self).__name__.lower()} {self.name}>"

    def _arguments(self, arguments: tuple[Any, ...]) -> list[Any]:
        return [convert(a, t) for a, t in zip(arguments, self.signature.types, strict=True)]

    def __call__(self, *arguments: Any) -> Any:
        result = self.function(*self._arguments(arguments))
        if self._plain:
            return result
        if get_origin(self.signature.returns) is tuple:
            return tuple(convert(r, t) for r, t in zip(result, self.signature.parts, strict=True))
        return convert(result, self.signature.returns)


class _Source:
    """The text of a file, read when its module makes its first definition. The file and the line
    numbers of its functions may change while the process lives."""

    def __init__(self, file: str, names: dict[str, Any]) -> None:
        self.file = file
        self.names = names
        try:
            self.text = read_source(file)
        except OSError:  # no file: a doctest, or a module in an archive
            linecache.checkcache(file)
            self.text = "".join(linecache.getlines(file, names))

    @cached_property
    def functions(self) -> dict[int, ast.FunctionDef]:
        """The syntax trees of its functions, by the line of their first decorator."""
        nodes = _functions_in(ast.parse(self.text))
        return {min([n.lineno, *(d.lineno for d in n.decorator_list)]): n for n in nodes}


def _functions_in(node: ast.AST) -> Iterator[ast.FunctionDef]:
    """The functions in statements. Expressions, most of a file's nodes, have none."""
    for part in ("body", "orelse", "finalbody", "handlers", "cases"):
        for one in getattr(node, part, None) or ():
            if isinstance(one, ast.FunctionDef):
                yield one
            yield from _functions_in(one)


_files: dict[str, _Source] = {}


def _source(function: Callable[..., Any]) -> _Source:
    file, names = function.__code__.co_filename, function.__globals__
    known = _files.get(file)
    if known is None or known.names is not names:
        known = _files[file] = _Source(file, names)
    return known


def text_of(file: str) -> str:
    """The text of a file from which its definitions were made; "" if it has none."""
    return _files[file].text if file in _files else ""


TYPED_RANGE = "range of the definition language"


def typed_range(*bounds: int) -> Iterator[u64]:
    """`range` in definitions. Native code counts in s64, and the variable is a u64."""
    return map(u64, range(*(int(s64(bound)) for bound in bounds)))


def lanes(count: int, width: int) -> Iterator[u64]:
    """In definitions, the numbers below `count` for a loop whose iterations may be done `width` at
    a time: none reads or writes what another one writes."""
    return typed_range(count)


def _with_typed_range(function: Callable[..., Any]) -> None:
    """Let `range` in a definition be `typed_range`, without a change for the rest of the module."""
    code = function.__code__
    if "range" in code.co_names and "range" not in function.__globals__:
        function.__globals__[TYPED_RANGE] = typed_range
        names = (TYPED_RANGE if name == "range" else name for name in code.co_names)
        function.__code__ = code.replace(co_names=tuple(names))


class Definition(Callee):
    """A function of the definition language. `cold`: kept out of fast code (see the engine).
    `apart`: fast code calls it, and never contains its text (`define`)."""

    def __init__(
        self, function: Callable[..., Any], cold: bool = False, apart: bool = False
    ) -> None:
        _with_typed_range(function)
        super().__init__(function)
        self.cold = cold
        self.apart = apart
        self.general: Definition | None = None  # the definition to which `constants` are given here
        self.constants: dict[str, int] = {}
        self._source = _source(function)

    def given(self, name: str, **constants: int) -> Definition:
        """The definition with constants for some parameters, under another name."""
        if unknown := constants.keys() - self.signature.fixed:
            raise TypeError(f"{self.name}: {min(unknown)} is not a fixed parameter")
        return _Given(self, name, constants)

    @property
    def file(self) -> str:
        return self.function.__code__.co_filename

    @property
    def text(self) -> str:
        """The text of its whole file at the import."""
        return self._source.text

    @property
    def place(self) -> str:
        """FILE:LINE of the first line of its text."""
        return f"{self.file}:{self.function.__code__.co_firstlineno}"

    @property
    def globals(self) -> dict[str, Any]:
        """The names that the text can use: those of its module and of its closure."""
        names = dict(self.function.__globals__)
        for name, cell in zip(
            self.function.__code__.co_freevars, self.function.__closure__ or (), strict=True
        ):
            names[name] = cell.cell_contents
        return names

    @property
    def tree(self) -> ast.FunctionDef:
        """The function's syntax tree, with the file's line numbers."""
        first = self.function.__code__.co_firstlineno
        found = self._source.functions.get(first)
        if found is None:
            raise LanguageError(f"{self.file}:{first}", "a definition is a def statement")
        return found


class _Given(Definition):
    """Another definition with some parameters given."""

    def __init__(self, general: Definition, name: str, constants: dict[str, int]) -> None:
        super().__init__(general.function, general.cold, general.apart)
        self.name, self.general, self.constants = name, general, constants
        self.signature = Signature(general.function, constants)
        self._order = general.signature.names

    def __call__(self, *arguments: Any) -> Any:
        named = dict(zip(self.signature.names, arguments, strict=True)) | self.constants
        assert self.general is not None
        return self.general(*(named[name] for name in self._order))


class Declaration(Callee):
    """A word of a vocabulary. It has a name and types; `implement` gives it its meaning."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self.implementation: Definition | Intrinsic | None = None

    def __call__(self, *arguments: Any) -> Any:
        if self.implementation is None:
            raise LanguageError(self.name, "is declared, and nothing implements it")
        return self.implementation(*arguments)


IrText = tuple[str, tuple[str, ...]]
"""The LLVM text of an intrinsic, and its declarations."""


class Intrinsic(Callee):
    """A function whose body is its meaning in CPython, and whose native code is the text `ir`.

    `ir` has LLVM instructions with `{0}`, `{1}` for the operands, `{result}` for the name of the
    result and `{t}` for a name unique to this use. `writes`: it changes state, so that an
    instruction can't begin anew after it (None: it does if it returns nothing). With a fixed
    parameter, `variants` has texts and declarations by the parameter's constant.
    """

    def __init__(
        self, function: Callable[..., Any], ir: str, declares: tuple[str, ...],
        writes: bool | None = None, variants: Mapping[int, IrText] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(function)
        self.ir = ir
        self.declares = declares
        self._writes = writes
        self.variants = variants

    def text(self, fixed: tuple[tuple[str, int], ...]) -> IrText:
        """Text and declarations for the constants of a call. KeyError without a variant."""
        return (self.ir, self.declares) if self.variants is None else self.variants[fixed[0][1]]

    @property
    def writes(self) -> bool:
        """Whether it changes state."""
        return self.signature.returns is None if self._writes is None else self._writes


class Dispatch:
    """A table from a number to definitions of one signature; the number is the last argument.

    The record of the first argument has the rows (`Record.tables`), so that different records can
    have different rows. `default` is called for numbers without a row. `args` are the types of the
    parameters (the text "hart" for an implied type); the last one is the type of the number.
    """

    def __init__(self, name: str, args: tuple[Any, ...], returns: Any = None) -> None:
        self.name = name
        self.args = args
        self.returns = returns
        self.default: Definition | None = None

    def __call__(self, *arguments: Any) -> Any:
        target = rows_of(arguments[0], self).get(int(arguments[-1]), self.default)
        if target is None:
            raise LanguageError(self.name, f"no row for {int(arguments[-1]):#x}")
        return target(*arguments)


@overload
def define(function: F) -> F: ...
@overload
def define(*, cold: bool = False, apart: bool = False) -> Callable[[F], F]: ...
def define(function: Any = None, *, cold: bool = False, apart: bool = False) -> Any:
    """Make a function a definition. `cold=True`: a rare case, never part of fast code.

    `apart=True`: a long text that fast code calls. It raises before it changes what an instruction
    that begins anew would see, it uses no `x` or `f` register, and it changes no translation.
    """
    if function is None:
        return lambda f: Definition(f, cold, apart)
    return Definition(function, cold, apart)


def declare(function: F) -> F:
    """Name and type a definition that another module implements."""
    return Declaration(function)  # type: ignore[return-value]


def implement(word: Any, *, cold: bool = False) -> Callable[[F], F]:
    """Give a declared word its meaning. TypeError if it has one, or if the signatures differ."""

    def apply(function: F) -> F:
        definition = Definition(function, cold)
        bind(word, definition)
        return definition  # type: ignore[return-value]

    return apply


def bind(word: Declaration, definition: Definition | Intrinsic) -> None:
    """Make the definition the meaning of the word."""
    if word.implementation is not None:
        raise TypeError(f"{word.name} is implemented already")
    ours, theirs = word.signature, definition.signature
    same = tuple(map(_usual, ours.types)) == tuple(map(_usual, theirs.types))
    if not same or (ours.returns, ours.fixed) != (theirs.returns, theirs.fixed):
        raise TypeError(f"{word.name}: declared and implemented with different types")
    word.implementation = definition


def _usual(kind: Any) -> Any:
    """The type, or what it usually stands for: an argument of a word is extended to the type of its
    implementation's parameter."""
    return kind.usual if isinstance(kind, Standing) else kind


def intrinsic(
    ir: str, declares: tuple[str, ...] = (), writes: bool | None = None
) -> Callable[[F], F]:
    """Make an intrinsic from a function, its meaning in CPython, and its LLVM text."""
    return lambda function: Intrinsic(function, ir, declares, writes)  # type: ignore[return-value]


def intrinsic_for(variants: Mapping[int, IrText]) -> Callable[[F], F]:
    """As `intrinsic`, with an LLVM text for each constant of its fixed parameter."""
    return lambda function: Intrinsic(function, "", (), None, variants)  # type: ignore[return-value]


def is_integer(kind: object) -> bool:
    """Whether a type is one of the integer types."""
    return isinstance(kind, type) and issubclass(kind, Integer)

"""The methods by name. A method is a function; its annotations are the parameters and the result.

@method
def pause(session: Session) -> State:
    "Stop the machine."
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal, get_type_hints

from rvplat.api.errors import BadParameter
from rvplat.api.schema import schema_of, shown, taken
from rvplat.frozen import frozen

#: How a method uses the machine. "still": every hart stands still meanwhile, and a machine that
#: runs goes on afterwards. "stopped": the machine must be stopped. "free": it uses no hart.
Use = Literal["still", "stopped", "free"]


@frozen
class Method:
    """A method. `name` is as clients write it; `hints` are the types of the parameters."""

    name: str
    function: Callable[..., Any]
    use: Use
    hints: dict[str, Any]
    result: Any
    defaults: dict[str, Any]

    @property
    def help(self) -> str:
        """What it does."""
        return inspect.getdoc(self.function) or ""

    def arguments(self, given: object) -> dict[str, Any]:
        """The checked arguments of a call. BadParameter."""
        if not isinstance(given, dict):
            raise BadParameter(f"{self.name}: params: found {shown(given)}, expected an object")
        for name in given:
            if name not in self.hints:
                known = ", ".join(self.hints) or "none"
                raise BadParameter(f"{self.name}: no parameter {shown(name)}: there are {known}")
        for name in self.hints:
            if name not in given and name not in self.defaults:
                raise BadParameter(f"{self.name}: the parameter {name} is missing")
        return {name: taken(self.hints[name], value, name) for name, value in given.items()}

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the parameters and of the result."""
        properties = {name: schema_of(kind) for name, kind in self.hints.items()}
        for name, value in self.defaults.items():
            properties[name]["default"] = value
        required = [name for name in self.hints if name not in self.defaults]
        params = {"type": "object", "properties": properties, "required": required,
                  "additionalProperties": False}  # fmt: skip
        return {"description": self.help, "use": self.use, "params": params,
                "result": schema_of(self.result)}  # fmt: skip


METHODS: dict[str, Method] = {}


def method(use: Use = "still") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a function into the table. Its name gives the method's: the first "_" becomes "."."""

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        hints = get_type_hints(function)
        result = hints.pop("return")
        hints.pop("session")
        parameters = inspect.signature(function).parameters
        defaults = {
            name: one.default for name, one in parameters.items() if one.default is not one.empty
        }
        name = function.__name__.replace("_", ".", 1)
        METHODS[name] = Method(name, function, use, hints, result, defaults)
        return function

    return enter

"""Writes ``docs/reference/parameters/``: every parameter of what a DAG author imports, from signatures and docstrings.

Sphinx's autodoc cannot: most parameters are declared in a base class, and an operator takes them as ``**common``.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import timedelta
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, is_typeddict

from airflow.providers.common.compat.sdk import AirflowOptionalProviderFeatureException

from airflow_provider_lms.provider_info import get_provider_info

PAGES = Path(__file__).parent.parent / "docs" / "reference" / "parameters"
PACKAGE = "airflow_provider_lms"
_FURTHER = ("airflow_provider_lms.hooks.base.ClientOptions", "airflow_provider_lms.lms.http.retry.RetryPolicy")
_POLICY = "airflow_provider_lms.retry_policy.LmsRetryPolicy"
_TITLES = {
    "operators": "Parameters of operators",
    "sensors": "Parameters of sensors",
    "triggers": "Parameters of triggers",
    "tasks": "Parameters of task decorators and of the retry policy",
    "hooks": "Parameters of hooks",
}
_AIRFLOWS = {
    "BaseSensorOperator": "`task_id`, `timeout`, `mode` and `soft_fail`",
    "BaseOperator": "`task_id`, `retries` and `execution_timeout`",
}


@dataclass(frozen=True)
class Parameter:
    """One parameter, as the docs show it.

    :param default: None if the parameter is required.
    """

    name: str
    types: tuple[str, ...]
    default: str | None
    templated: bool
    meaning: str


def public_classes() -> Mapping[str, list[type]]:
    """What a DAG author imports, by the name of the page about it."""
    info = get_provider_info()
    tasks = [import_module(each["class-name"].rpartition(".")[0]) for each in info["task-decorators"]]
    return {
        "operators": _classes_of(info["operators"]),
        "sensors": _classes_of(info["sensors"]),
        "triggers": _classes_of(info["triggers"]),
        "tasks": [*(each for module in tasks for each in _defined_in(module)), _import(_POLICY)],
        "hooks": [*_classes_of(info["hooks"]), *map(_import, _FURTHER)],
    }


def with_bases(classes: list[type]) -> list[type]:
    """The classes, and after them their bases of this package that have parameters too."""
    bases = {base: None for each in classes for base in each.__mro__ if _has_own_parameters(base)}
    return [*classes, *(base for base in bases if base not in classes)]


def own_parameters(cls: type) -> list[Parameter]:
    """The parameters that a class adds to those of its bases."""
    if not _has_own_parameters(cls):
        return []
    signature, meanings = inspect.signature(cls.__dict__["__init__"]), _meanings(cls)
    templated = set(getattr(cls, "template_fields", ()))
    named = [each for each in signature.parameters.values() if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)]
    return [
        Parameter(
            each.name,
            _types(cls, str(each.annotation)),
            _default(cls, each),
            each.name in templated,
            meanings.get(each.name, ""),
        )
        for each in named[1:]
    ]


def generate() -> Iterator[tuple[Path, str]]:
    """Every page, with its content."""
    for page, classes in public_classes().items():
        sections = with_bases(classes)
        lines = [f"# {_TITLES[page]}", "", "Generated from signatures and docstrings by `make contract`.", ""]
        lines += [*_overview(sections), ""]
        for each in sections:
            lines += _section(each, sections)
        yield PAGES / f"{page}.md", "\n".join(lines).rstrip() + "\n"


def _overview(sections: list[type]) -> Iterator[str]:
    yield from ("| class | what it is |", "|---|---|")
    for each in sections:
        yield f"| [`{each.__name__}`](#{each.__name__.lower()}) | {_escaped(_summary(each))} |"


def _section(cls: type, sections: list[type]) -> Iterator[str]:
    templates = hasattr(cls, "template_fields")
    yield from (f"## {cls.__name__}", "", f"`from {_module(cls)} import {cls.__name__}`", "", _summary(cls), "")
    if found := own_parameters(cls):
        yield f"| parameter | type | default |{' templated |' * templates} meaning |"
        yield f"|---|---|---|{'---|' * templates}---|"
        for each in found:
            default = "**required**" if each.default is None else f"`{_escaped(each.default)}`"
            types = ", ".join(f"`{_escaped(kind)}`" for kind in each.types)
            templated = f" {'yes' if each.templated else 'no'} |" * templates
            yield f"| `{each.name}` | {types} | {default} |{templated} {_escaped(each.meaning)} |"
        yield ""
    bases = [base for base in cls.__mro__[1:] if base in sections and own_parameters(base)]
    also = [f"[{base.__name__}](#{base.__name__.lower()})" for base in bases]
    names = {base.__name__ for base in cls.__mro__ if not base.__module__.startswith(PACKAGE)}
    if airflows := next((name for name in _AIRFLOWS if name in names), ""):
        also.append(f"Airflow's `{airflows}`, such as {_AIRFLOWS[airflows]}")
    if also:
        yield from (f"Also the parameters of {_listed(also)}.", "")


def _module(cls: type) -> str:
    """The module to import a class from: the package around its own module, if that has it too."""
    package = cls.__module__.rpartition(".")[0]
    return package if getattr(import_module(package), cls.__name__, None) is cls else cls.__module__


def _classes_of(entries: list[dict[str, Any]]) -> list[type]:
    modules = dict.fromkeys(name for entry in entries for name in entry["python-modules"])
    found = [each for name in modules if (module := module_at(name)) for each in _defined_in(module)]
    return list(dict.fromkeys(found))


def module_at(name: str) -> ModuleType | None:
    """A module; None if this Airflow lacks what it is about."""
    try:
        return import_module(name)
    except AirflowOptionalProviderFeatureException:
        return None


def _defined_in(module: Any) -> list[type]:
    """The public classes of a module. If it has ``__all__``, those that it names and whose parameters can be set."""
    names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
    found = [vars(module)[name] for name in names]
    return [
        each
        for each in found
        if inspect.isclass(each)
        and not is_typeddict(each)
        and not inspect.isabstract(each)
        and not issubclass(each, Exception)
        and each.__module__.startswith(module.__name__)
        and any(_has_own_parameters(base) for base in each.__mro__)
        and "Base of" not in _summary(each)
    ]


def _import(path: str) -> type:
    module, _, name = path.rpartition(".")
    found: type = getattr(import_module(module), name)
    return found


def _has_own_parameters(cls: type) -> bool:
    own = cls.__dict__.get("__init__")
    return cls.__module__.startswith(PACKAGE) and own is not None and len(inspect.signature(own).parameters) > 1


def _meanings(cls: type) -> dict[str, str]:
    """What the docstring says of each parameter."""
    text = inspect.cleandoc(cls.__doc__ or "")
    found = re.findall(r"^:param (\w+): (.*?)(?=^\S|\Z)", text, re.DOTALL | re.MULTILINE)
    return {name: _plain(" ".join(words.split())) for name, words in found}


def _summary(cls: type) -> str:
    return _plain(" ".join(inspect.cleandoc(cls.__doc__ or "").partition("\n\n")[0].split()))


def _plain(text: str) -> str:
    """Markdown in place of reST, without what the table says in a column of its own."""
    text = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"`\1`", text)
    text = re.sub(r";? ?templated(?=\))", "", text).replace(" ()", "")
    text = re.sub(r"``(.+?)``", r"`\1`", text)
    return text[:1].upper() + text[1:]


def _escaped(text: str) -> str:
    return text.replace("|", r"\|")


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _default(cls: type, parameter: inspect.Parameter) -> str | None:
    if parameter.default is parameter.empty:
        return None
    value: object = parameter.default
    if "__dataclass_fields__" in cls.__dict__:
        (field,) = [each for each in fields(cls) if each.name == parameter.name]
        if field.default_factory is not MISSING:
            return f"{getattr(field.default_factory, '__name__', '')}()"
    if inspect.isroutine(value):
        return value.__name__
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:_}"
    return f"timedelta(minutes={value / timedelta(minutes=1):g})" if isinstance(value, timedelta) else repr(value)


def _types(cls: type, annotation: str) -> tuple[str, ...]:
    """The alternatives of a type, with the aliases of this package spelled out."""
    tree = ast.parse(annotation, mode="eval").body
    return tuple(dict.fromkeys(_alternatives(cls.__module__, tree)))


def _alternatives(module: str, tree: ast.expr) -> Iterator[str]:
    if isinstance(tree, ast.BinOp):
        yield from _alternatives(module, tree.left)
        yield from _alternatives(module, tree.right)
    elif isinstance(tree, ast.Constant) and isinstance(tree.value, str):
        yield from _alternatives(module, ast.parse(tree.value, mode="eval").body)
    elif isinstance(tree, ast.Name) and (alias := _alias(module, tree.id)) is not None:
        yield from _alternatives(*alias)
    elif isinstance(tree, ast.Subscript) and isinstance(tree.value, ast.Name) and tree.value.id == "Literal":
        values = tree.slice.elts if isinstance(tree.slice, ast.Tuple) else [tree.slice]
        yield from (ast.unparse(each) for each in values)
    else:
        yield ast.unparse(_Spelled(module).visit(tree))


class _Spelled(ast.NodeTransformer):
    """Puts what an alias stands for in its place, also within brackets.

    :param module: where the type is written.
    """

    def __init__(self, module: str) -> None:
        self._module = module

    def visit_Name(self, node: ast.Name) -> ast.expr:  # the name that ast asks for
        found = _alias(self._module, node.id)
        if found is None:
            return node
        return ast.parse(" | ".join(_alternatives(*found)), mode="eval").body


@cache
def _alias(module: str, name: str) -> tuple[str, ast.expr] | None:
    """Where a module has a type alias from, and what it stands for. None if the name is no alias of this package."""
    source = inspect.getsource(import_module(module))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and name in {each.name for each in node.names}:
            return _alias(node.module, name) if node.module and node.module.startswith(PACKAGE) else None
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            return (module, node.value) if node.value is not None else None
    return None

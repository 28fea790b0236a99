"""pellucid without anything that notes: to measure what looking on costs when nobody looks.

DESIGN rule 5 says that it costs nothing. `pellucid_bare` is a second copy of this package, made of the
same source while it is imported: every `if note is not None: ...` is taken out of it. Whatever the two
copies differ in, calls or time, is what the possibility of looking on costs.

    from pellucid.bench.bare import load
    pair = load("bench.peers.own").OwnPair(scenario, material)
"""

from __future__ import annotations

import ast
import sys
from importlib import import_module
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pellucid

NAME = "pellucid_bare"
_NOTES = frozenset({"note", "_note", "_jot"})
_SOURCE = Path(pellucid.__file__).parent


def load(module: str) -> ModuleType:
    """The module `pellucid.<module>` in a copy that notes nothing.

    >>> load("connection").ClientConnection.__module__
    'pellucid_bare.connection'
    """
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    return import_module(f"{NAME}.{module}")


class Strip(ast.NodeTransformer):
    """Takes what notes out of a module, and renames the package.

    Attributes:
        taken: how many statements and conditions were taken out.

    >>> tree = ast.parse("if h.note is not None:\\n    h.note(('ccs', True))\\nx = 1")
    >>> ast.unparse(Strip().visit(tree))
    'x = 1'
    """

    def __init__(self) -> None:
        self.taken = 0

    def visit_If(self, node: ast.If) -> Any:
        """`if note is not None` goes, and all that stands in it."""
        if any(map(_looks, _conditions(node.test))):
            self.taken += 1
            return [self.visit(each) for each in node.orelse] or None
        return self._whole(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> Any:
        """`note is None and ...`: it always is."""
        kept = [each for each in node.values if not _looks_away(each)]
        self.taken += len(node.values) - len(kept)
        node.values = kept
        self.generic_visit(node)
        return node if len(kept) > 1 else kept[0]

    def _whole(self, node: Any) -> Any:
        """A block may not become empty."""
        self.generic_visit(node)
        if not node.body:
            node.body = [ast.Pass()]
        return node

    visit_FunctionDef = visit_For = visit_While = visit_With = visit_ExceptHandler = _whole

    def visit_Import(self, node: ast.Import) -> Any:
        """`import pellucid` is the copy, under the old name."""
        for name in node.names:
            if name.name == "pellucid":
                name.name, name.asname = NAME, name.asname or "pellucid"
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        """`from pellucid...` is from the copy."""
        if node.module and not node.level:
            node.module = _renamed(node.module)
        return node

    def visit_Constant(self, node: ast.Constant) -> Any:
        """Names of modules in texts, for those that are imported when they are used."""
        if isinstance(node.value, str) and node.value.startswith("pellucid."):
            node.value = _renamed(node.value)
        return node


def _conditions(test: ast.expr) -> list[ast.expr]:
    return test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]


def _compared(test: ast.expr, operator: type[ast.cmpop]) -> bool:
    """Whether `test` compares a note with None."""
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.ops[0], operator)
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value is None
        and getattr(test.left, "attr", getattr(test.left, "id", None)) in _NOTES
    )


def _looks(test: ast.expr) -> bool:
    return _compared(test, ast.IsNot)


def _looks_away(test: ast.expr) -> bool:
    return _compared(test, ast.Is)


def _renamed(module: str) -> str:
    return NAME + module.removeprefix("pellucid") if module.split(".")[0] == "pellucid" else module


class _Loader(SourceFileLoader):
    """Compiles a module without what notes; from its source each time."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        tree = ast.fix_missing_locations(Strip().visit(ast.parse(self.get_data(path))))
        code: CodeType = compile(tree, path, "exec", dont_inherit=True)
        return code


class _Finder:
    """Finds the modules of the copy."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        top, *rest = fullname.split(".")
        if top != NAME:
            return None
        place = _SOURCE.joinpath(*rest)
        if place.is_dir():
            file, inside = place / "__init__.py", [str(place)]
        else:
            file, inside = place.with_suffix(".py"), None
        if not file.exists():
            return None
        loader = _Loader(fullname, str(file))
        return spec_from_file_location(fullname, file, loader=loader, submodule_search_locations=inside)

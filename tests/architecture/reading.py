"""Reading our own source: files, and the names in them."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def python_files(*places: str) -> list[Path]:
    """Every Python file below these places of the checkout."""
    return sorted(path for place in places for path in (ROOT / place).rglob("*.py"))


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), path.name)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def dotted(node: ast.AST) -> str:
    """``a.b.c`` for a chain of names, else an empty string."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attribute):
            before = dotted(value)
            return f"{before}.{attribute}" if before else ""
        case _:
            return ""


def imported(tree: ast.AST) -> dict[str, str]:
    """What each imported name stands for: ``{"text": "sqlalchemy.text"}``."""
    names = {}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                for alias in aliases:
                    top = alias.name.partition(".")[0]
                    names[alias.asname or top] = alias.name if alias.asname else top
                    names[alias.name] = alias.name
            case ast.ImportFrom(module=module, names=aliases):
                for alias in aliases:
                    names[alias.asname or alias.name] = f"{module}.{alias.name}"
    return names


def meant(node: ast.AST, names: dict[str, str]) -> str:
    """The full name of what a chain of names leads to."""
    first, _, rest = dotted(node).partition(".")
    full = names.get(first, first)
    return f"{full}.{rest}" if rest else full


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    """Every call, with the full name of what is called."""
    names = imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node, meant(node.func, names)


def functions(tree: ast.AST) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function and method that is not within another one, with its qualified name."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for name, function in functions(node):
                yield f"{node.name}.{name}", function

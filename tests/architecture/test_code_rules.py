"""What the linters do not know of our own code; each rule is seen to fail first."""

import ast
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.architecture.reading import (
    ROOT,
    calls,
    dotted,
    functions,
    imported,
    name_of,
    python_files,
    tree_of,
)

Offences = Callable[[ast.Module], Iterator[str]]

LONGEST_FILE = 200
LONGEST_PLAIN_FUNCTION = 15

LONGER_FILES = {
    "src/vitalrelay/bootstrap.py": "the one wiring file: plain calls, read downwards",
    "src/vitalrelay/domain/document.py": "each shape beside its way back",
    "src/vitalrelay/domain/news2.py": "one chart, and what is missing from it",
    "src/vitalrelay/adapters/inbound/http/packet_in.py": "one shape, read quickly or strictly",
    "src/vitalrelay/adapters/inbound/group_commit.py": "a page of prose and one hard algorithm",
    "src/vitalrelay/adapters/inbound/metrics.py": "every metric of a process, in one list",
    "src/vitalrelay/adapters/outbound/postgres/records.py": "the statements of two ports",
    "src/vitalrelay/adapters/outbound/postgres/tables.py": "the only declaration of tables",
}

EVERYTHING_CAUGHT = {
    "src/vitalrelay/adapters/inbound/group_commit.py:GroupCommit._store": "said, and not shared",
    "src/vitalrelay/adapters/inbound/delivery.py:Delivery._publish_some": "said, and falls due",
    "src/vitalrelay/adapters/inbound/delivery.py:Delivery._settle_some": "said, and falls due",
    "src/vitalrelay/adapters/outbound/redis/together.py:Together._answer": "all who asked raise it",
    "src/vitalrelay/adapters/inbound/http/middleware.py:RequestEnvelope.__call__": "the outermost",
    "src/vitalrelay/adapters/inbound/snapshot_feed.py:SnapshotFeed._read": "said, and told on",
    "src/vitalrelay/replay/read_ahead.py:ReadAhead._read": "the reader raises it",
    "src/vitalrelay/adapters/inbound/cli/app.py:InOneLine.invoke": "the outermost: one line",
}

CLOCKS = {
    *(f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")),
    "datetime.date.today",
    *(f"time.{name}" for name in ("time", "time_ns", "localtime", "gmtime", "ctime")),
}


def clocks_read(tree: ast.Module) -> Iterator[str]:
    """The domain says how long; what time it is, the database says."""
    return (f"{call.lineno}: {name}" for call, name in calls(tree) if name in CLOCKS)


def base_http_middleware(tree: ast.Module) -> Iterator[str]:
    """It cancels what it surrounds when the caller goes away, and hides that they went."""
    for node in ast.walk(tree):
        named = dotted(node) if isinstance(node, ast.Name | ast.Attribute) else ""
        if named.endswith("BaseHTTPMiddleware"):
            yield f"{node.lineno}: {named}"
    names = imported(tree).values()
    yield from (name for name in names if name.endswith("BaseHTTPMiddleware"))


def everything_caught(tree: ast.Module) -> Iterator[str]:
    """But for handlers that raise again, whatever happens in them: they only clean up."""
    for name, function in functions(tree):
        for node in ast.walk(function):
            if isinstance(node, ast.ExceptHandler) and _catches_all(node) and not _reraises(node):
                yield name
            if isinstance(node, ast.Call) and dotted(node.func).endswith("suppress"):
                yield from (name for kind in node.args if dotted(kind) in ALL_ERRORS)


ALL_ERRORS = ("Exception", "BaseException")


def _catches_all(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or dotted(kind) in ALL_ERRORS for kind in kinds)


def _reraises(handler: ast.ExceptHandler) -> bool:
    return handler.body[-1:] != [] and ast.unparse(handler.body[-1]) == "raise"


def engines_that_show_parameters(tree: ast.Module) -> Iterator[str]:
    """Parameters are patients' data, and an error shows them unless told otherwise."""
    for call, name in calls(tree):
        if name.startswith("sqlalchemy") and name.endswith(("_async_engine", ".create_engine")):
            told = {word.arg: ast.unparse(word.value) for word in call.keywords}
            if told.get("hide_parameters") != "True":
                yield f"{call.lineno}: {name}"


def statements(tree: ast.Module) -> Iterator[str]:
    """Of SQL: text(…), or handed to the driver as it is."""
    for call, name in calls(tree):
        if name == "sqlalchemy.text" or name.endswith(".exec_driver_sql"):
            yield f"{call.lineno}: {name}"


def unexplained(tree: ast.Module) -> Iterator[str]:
    """Public functions without a docstring that raise, or that are long and branch."""
    for name, function in functions(tree):
        public = not any(part.startswith("_") for part in name.split("."))
        if public and not ast.get_docstring(function) and _needs_words(function):
            yield name


def _needs_words(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    inside = list(ast.walk(function))
    raises = any(isinstance(node, ast.Raise) for node in inside)
    branches = any(isinstance(node, ast.If | ast.For | ast.While | ast.Match) for node in inside)
    lines = (function.end_lineno or 0) - function.lineno + 1
    return raises or (branches and lines > LONGEST_PLAIN_FUNCTION)


def promises_without_words(tree: ast.Module) -> Iterator[str]:
    """A method of a port is a sentence; a class may speak for its only method."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and "Protocol" in map(dotted, node.bases):
            yield from (
                f"{node.name}.{name}"
                for name, function in functions(node)
                if not ast.get_docstring(function)
            )


SEEN_TO_FAIL: list[tuple[Offences, str]] = [
    (clocks_read, "from datetime import datetime\ndatetime.now()"),
    (clocks_read, "import datetime as dt\ndt.datetime.now(dt.UTC)"),
    (clocks_read, "import time\ntime.time()"),
    (clocks_read, "from time import time as now\nnow()"),
    (base_http_middleware, "from starlette.middleware.base import BaseHTTPMiddleware"),
    (base_http_middleware, "import starlette.middleware.base as b\nb.BaseHTTPMiddleware"),
    (everything_caught, "def f():\n  try: g()\n  except Exception: pass"),
    (everything_caught, "def f():\n  try: g()\n  except: pass"),
    (everything_caught, "class A:\n def f(self):\n  try: g()\n  except (E, BaseException): h()"),
    (everything_caught, "def f():\n  with contextlib.suppress(Exception): g()"),
    (everything_caught, "def f():\n  def g():\n    try: h()\n    except Exception: return 1"),
    (
        engines_that_show_parameters,
        "from sqlalchemy.ext.asyncio import create_async_engine\ncreate_async_engine(url)",
    ),
    (
        engines_that_show_parameters,
        "import sqlalchemy as sa\nsa.create_engine(url, hide_parameters=False)",
    ),
    (statements, "from sqlalchemy import text\nA = text('select 1')"),
    (statements, "import sqlalchemy\nsqlalchemy.text('select 1')"),
    (statements, "async def f(c): await c.exec_driver_sql('select 1')"),
    (unexplained, "def f():\n  raise ValueError"),
    (unexplained, "class A:\n  def f(self):\n    if x:\n" + "      y()\n" * 20),
    (promises_without_words, "class A(Protocol):\n  def f(self): ..."),
]

SEEN_TO_PASS: list[tuple[Offences, str]] = [
    (clocks_read, "import time\ntime.monotonic()"),
    (everything_caught, "def f():\n  try: g()\n  except BaseException:\n    h()\n    raise"),
    (everything_caught, "def f():\n  try: g()\n  except OSError: pass"),
    (statements, "def text(): ...\ntext()"),
    (unexplained, "def f():\n  return {1: 2}"),
    (unexplained, "def _f():\n  raise ValueError"),
]


@pytest.mark.parametrize(("rule", "source"), SEEN_TO_FAIL)
def test_a_rule_finds_what_it_forbids(rule: Offences, source: str) -> None:
    assert list(rule(ast.parse(source))) != []


@pytest.mark.parametrize(("rule", "source"), SEEN_TO_PASS)
def test_a_rule_forbids_no_more(rule: Offences, source: str) -> None:
    assert list(rule(ast.parse(source))) == []


def offences(rule: Offences, *places: str) -> set[str]:
    return {
        f"{name_of(path)}:{offence}"
        for path in python_files(*places)
        for offence in rule(tree_of(path))
    }


CORE = [f"src/vitalrelay/{layer}" for layer in ("domain", "ports", "usecases")]
OURS = ["src", "workers"]


def test_the_core_never_asks_what_time_it_is() -> None:
    assert offences(clocks_read, *CORE) == set()


def test_no_middleware_cancels_what_it_surrounds() -> None:
    assert offences(base_http_middleware, *OURS) == set()


def test_everything_is_caught_only_where_there_is_a_reason() -> None:
    assert offences(everything_caught, *OURS, "alembic") == set(EVERYTHING_CAUGHT)


def test_no_engine_shows_parameters() -> None:
    assert offences(engines_that_show_parameters, *OURS, "alembic") == set()


def test_statements_stand_in_the_outbound_adapters_and_nowhere_else() -> None:
    found = offences(statements, *OURS)

    elsewhere = {one for one in found if "/adapters/outbound/" not in one}
    assert found != set()
    assert elsewhere == set()


def test_what_the_domain_refuses_or_decides_is_said_in_words() -> None:
    assert offences(unexplained, "src/vitalrelay/domain") == set()


def test_every_promise_of_a_port_is_a_sentence() -> None:
    assert offences(promises_without_words, "src/vitalrelay/ports") == set()


def test_every_module_says_what_it_is_for() -> None:
    silent = {
        name_of(path)
        for path in python_files(*OURS)
        if path.read_text().strip() and not ast.get_docstring(tree_of(path))
    }

    assert silent == set()


def test_files_are_short_or_have_a_reason() -> None:
    long = {
        name_of(path)
        for path in python_files("src")
        if len(path.read_text().splitlines()) > LONGEST_FILE
    }

    assert long - set(LONGER_FILES) == set()
    assert all((ROOT / name).exists() for name in LONGER_FILES)


CODECS = {"msgspec", "orjson"}


def test_the_domain_needs_nothing_but_two_codecs() -> None:
    needed = {
        name.partition(".")[0]
        for path in python_files("src/vitalrelay/domain")
        for name in imported(tree_of(path)).values()
    }

    assert needed - sys.stdlib_module_names == CODECS | {"vitalrelay"}

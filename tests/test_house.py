"""The house rules: what is exported, what the layers are, how long a file may get."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import g2a_async
from g2a_async import endpoints, records, services
from g2a_async.endpoints import ENDPOINTS, Endpoint

PACKAGE = Path(g2a_async.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("package", [g2a_async, records, services], ids=lambda package: package.__name__)
def test_the_stub_says_what_the_package_exports(package: ModuleType) -> None:
    """What type checkers are told is what is there, name by name and module by module."""
    told = {
        alias.name: node.module
        for node in ast.parse((Path(package.__path__[0]) / "__init__.pyi").read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    assert sorted(told) == sorted(vars(package)["__all__"])
    for name, module in told.items():
        assert getattr(package, name) is getattr(importlib.import_module(module), name)


def test_importing_the_package_loads_next_to_nothing() -> None:
    """`import g2a_async` brings neither aiohttp nor cattrs nor tenacity nor msgspec; the first client does."""
    code = "import sys, g2a_async; print({'aiohttp', 'cattrs', 'tenacity', 'msgspec', 'attr'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_a_client_loads_what_it_is_used_for() -> None:
    """Making a client loads no service, no record and nothing of what the tolerant way needs."""
    heavy = ["cattrs", "tenacity", "g2a_async.records.sessions", "g2a_async.services.sessions"]
    code = f"import sys, g2a_async; g2a_async.G2AClient('token'); print({{*{heavy}}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A name that is not exported is refused as any module does."""
    with pytest.raises(AttributeError, match="no attribute 'Session5'"):
        getattr(g2a_async, "Session5")  # noqa: B009  a checker would refuse the plain form


def test_the_version_is_told() -> None:
    """`__version__` is that of the installed distribution."""
    assert re.fullmatch(r"\d+\.\d+\.\d+", g2a_async.__version__)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.relative_to(PACKAGE)))
def test_a_file_has_one_idea(source: Path) -> None:
    """No file is much longer than 300 lines, no function longer than a screen, and each module says what it is."""
    text = source.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert text.count("\n") <= 310
    assert not text or ast.get_docstring(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1].lineno if ast.get_docstring(node) and len(node.body) > 1 else node.body[0].lineno
            assert (node.end_lineno or 0) - first < 60, node.name


def test_the_table_has_sixteen_calls() -> None:
    """Each row that the module names is in the table, once."""
    rows = [value for value in vars(endpoints).values() if isinstance(value, Endpoint)]
    assert len(ENDPOINTS) == len({row.name for row in ENDPOINTS}) == 16
    assert set(rows) == set(ENDPOINTS)


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: row.name)
def test_each_row_has_its_method(row: Endpoint) -> None:
    """A row's name is a service and a method of it, whose docstring names the call."""
    service, method = row.name.split(".")
    owner = getattr(g2a_async, {"system_links": "SystemLinks"}.get(service, service.capitalize()))
    told = getattr(owner, method).__doc__
    assert f"{row.method} {'{callbackURL}' if row.partner else ''}{row.path}" in told

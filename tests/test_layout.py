"""The layout: which folder may import which, no circle, not even one inside a function, and names told apart."""

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import noiselayer

SOURCE = Path(noiselayer.__file__).parent

# From the ground up; a folder imports from those named before it, and from itself.
STOREYS = (
    ("errors", "choices"),
    ("files",),
    ("arrays",),
    ("noise",),
    ("losses", "estimation"),
    ("joint",),
    ("features",),
    ("checks",),
    ("audit",),
    ("annotators",),
    ("data", "models"),
    ("extraction",),
    ("training",),
    ("estimators",),
    ("storage",),
    ("report",),
    ("interchange",),
    ("jobs",),
    ("paper",),
    ("cli",),
    ("__main__",),
)
FLOOR = {folder: number for number, storey in enumerate(STOREYS) for folder in storey}
# What these import beside themselves: torch, numpy and the standard library.
MATHEMATICS = ("noise", "losses", "estimation", "joint", "features", "checks", "audit")
# Where they hand out another library's object, have it read what is no number yet, or leave it what is not the
# subject: file, function, module.
ALLOWED_INSIDE_FUNCTIONS = {
    ("audit/audit_result.py", "TYPE_CHECKING", "pandas"),  # the type of what to_frame returns
    ("audit/audit_result.py", "to_frame", "pandas"),
    ("features/text.py", "TYPE_CHECKING", "sklearn.feature_extraction.text"),
    ("features/text.py", "_vectorizer", "sklearn.feature_extraction.text"),
    ("features/text.py", "fit", "sklearn.decomposition"),
    ("joint/linear_fit.py", "minimise", "scipy.optimize"),
}


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        name = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imports_of(path: Path) -> list[tuple[str, int]]:
    """Every module of ours that a file imports, those inside functions and for type checkers too, with the line."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("noiselayer"):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.append((whole if whole in MODULES else str(node.module), node.lineno))
        elif isinstance(node, ast.Import):
            found += [
                (alias.name, node.lineno) for alias in node.names if alias.name.startswith("noiselayer")
            ]
    return found


def folder_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_every_folder_has_its_storey() -> None:
    folders = {folder_of(name) for name in MODULES} - {"", "_version"}
    assert folders <= set(FLOOR)


def test_arrows_go_down() -> None:
    up = []
    for name, path in MODULES.items():
        ours = folder_of(name)
        if ours in ("", "_version"):
            continue
        for imported, line in imports_of(path):
            theirs = folder_of(imported)
            if theirs not in ("", "_version", ours) and FLOOR[theirs] >= FLOOR[ours]:
                up.append(f"{path.relative_to(SOURCE)}:{line} imports {imported}")
    assert not up, "\n".join(up)


def test_no_file_imports_itself_by_a_detour() -> None:
    """No circle of files, and none hidden inside a function."""
    arrows = {name: {module for module, _ in imports_of(path)} - {name} for name, path in MODULES.items()}
    # A package's own list of names is no arrow upwards for the files in it.
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        if name in way:
            raise AssertionError(" -> ".join((*way[way.index(name) :], name)))
        if name in done:
            return
        for other in sorted(arrows.get(name, ())):
            visit(other, (*way, name))
        done.add(name)

    for name in sorted(set(arrows) - {"noiselayer"}):
        visit(name, ())


@pytest.mark.parametrize("folder", MATHEMATICS)
def test_the_mathematics_imports_nothing_else(folder: str) -> None:
    known = {"torch", "numpy", "noiselayer", *sys.stdlib_module_names}
    found = set()
    for path in sorted((SOURCE / folder).rglob("*.py")):
        name = str(path.relative_to(SOURCE))
        for node, function in imports_with_function(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [str(node.module)] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            found |= {(name, function, module) for module in modules if module.partition(".")[0] not in known}
    assert found == {entry for entry in ALLOWED_INSIDE_FUNCTIONS if entry[0].startswith(f"{folder}/")}


def imports_with_function(
    node: ast.AST, function: str = ""
) -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    """Every import with the innermost function that it stands in, "" at the head of the file."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, function
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            yield from imports_with_function(child, "TYPE_CHECKING")
        else:
            inside = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
            yield from imports_with_function(child, inside)


def test_a_basename_is_unique_where_its_meaning_is() -> None:
    # A command has one name in cli (how it is typed), in jobs (what it does) and, where there is one, below.
    names = Counter(
        path.stem for path in MODULES.values() if path.stem != "__init__" and path.parent.name != "cli"
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_no_two_folders_differ_by_an_ending() -> None:
    folders = {path.parent.name for path in MODULES.values()}
    for folder in folders:
        assert folder + "ing" not in folders
        assert folder.removesuffix("e") + "ing" not in folders or not folder.endswith("e")

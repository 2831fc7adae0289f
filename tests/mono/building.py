"""Compiles a program of checks with proxies that Mono's `wsdl` tool writes from definitions: the published ones, or
those that a server gives of itself."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.places import TOP, shared


def run(*command: str, cwd=None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def program(source: str, proxies: dict[str | Path, str], folder: Path) -> Path:
    """The compiled program. `proxies` gives each definition's proxies a namespace. A definition is the name of a
    published one, or a file; skips where published ones are wanted and are not here."""
    missing = [tool for tool in ("wsdl", "mcs", "mono") if not shutil.which(tool)]
    if missing:
        pytest.fail(f"{', '.join(missing)} not found: apt-get install mono-devel")
    published = [name for name in proxies if isinstance(name, str)]
    if published and not shared("wsdl").is_dir():
        pytest.skip("the published definitions (SLUICEGATE_SHARED/wsdl) are not here")
    for name, space in proxies.items():
        definition = str(name if isinstance(name, Path) else shared("wsdl", f"{name}.wsdl"))
        run("wsdl", "-language:CS", f"-namespace:{space}", f"-out:{space}.cs", definition, cwd=folder)
    sources = [str(TOP / "tests/mono" / source)] + [f"{space}.cs" for space in proxies.values()]
    run("mcs", "-nologo", "-out:checks.exe", "-r:System,System.Xml,System.Web.Services", *sources, cwd=folder)
    return folder / "checks.exe"


def said_of(lines: list[str], check: str) -> list[str]:
    """What the program printed about one check."""
    return [line for line in lines if line == f"PASS {check}" or line.startswith(f"FAIL {check}:")]


def other_failures(lines: list[str], checks: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("FAIL") and line[5:].split(":")[0] not in checks]

"""The contract suite runs once for every harness that a module `*_harness.py` of this folder has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from importlib import import_module
from pathlib import Path

import pytest

from tests.contract.harness import Harness, Scene
from tests.support.homemade import Service


def _harnesses() -> list[object]:
    found = []
    for file in sorted(Path(__file__).parent.glob("*_harness.py")):
        module = import_module(f"tests.contract.{file.stem}")
        marks = getattr(module, "MARKS", ())
        found += [pytest.param(make, id=name, marks=marks) for name, make in module.HARNESSES.items()]
    return found


@pytest.fixture(params=_harnesses())
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Harness:
    """Each harness in turn, not started."""
    made: Harness = request.param(request, tmp_path)
    return made


@pytest.fixture
async def scene(harness: Harness) -> AsyncIterator[Scene]:
    """The harness with its flags made and two of them changed lately."""
    made: Scene | None = None
    try:
        await harness.start()
        made = Scene(harness, harness.provider())
        await made.change()
        yield made
    finally:
        if made is not None:
            await made.provider.aclose()
        await harness.aclose()


@pytest.fixture(scope="session")
def flag_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A home-made flag service. Whoever uses it makes all its flags afresh."""
    with Service(tmp_path_factory.mktemp("flag_service")) as service:
        yield service

"""The contract suite runs once for every harness that a module `*_harness.py` of this folder has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path

import pytest

from tests.contract.harness import Harness, Scene, set_scene


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
    provider: object = None
    try:
        provider = harness.provider()
        yield await set_scene(harness, provider)
    finally:
        if provider is not None:
            await provider.aclose()  # type: ignore[attr-defined]
        await harness.aclose()

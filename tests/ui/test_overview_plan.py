"""Where panels stand, and the themes."""

from __future__ import annotations

import pytest
from console_data import full
from driving import driven

from opsconsole.render.theme import DARK, LIGHT, NO_COLOUR, Theme
from opsconsole.ui.panels.plan import Place, Plan, plan
from opsconsole.ui.screens.overview import OverviewScreen

ACCUBOOKS = (3, 5, 3, 3, 3, 2, 3)


def cells(found: Plan) -> list[Place]:
    return [place for group in found.panels for place in group]


@pytest.mark.parametrize("width", [60, 80, 99, 100, 120, 200, 300])
@pytest.mark.parametrize("height", [6, 16, 30, 60])
@pytest.mark.parametrize("opened", [False, True])
def test_panels_cover_their_rows_and_never_overlap(width: int, height: int, opened: bool) -> None:
    found = plan(ACCUBOOKS, width, height, opened=opened)
    taken: set[tuple[int, int]] = set()
    for place in cells(found):
        here = {
            (x, y) for x in range(place.x, place.x + place.width) for y in (place.y, place.y + place.height - 1)
        }
        assert not here & taken
        taken |= here
        assert place.height >= 3
        assert place.width >= 20
        assert place.x + place.width <= width
        assert place.y + place.height <= found.height
    assert found.panels[0]
    assert all(found.panels) or not opened


@pytest.mark.parametrize(("width", "height"), [(80, 16), (120, 30), (200, 50)])
def test_what_is_shown_fits(width: int, height: int) -> None:
    assert plan(ACCUBOOKS, width, height).height <= height


def test_the_sketches() -> None:
    small = plan(ACCUBOOKS, 80, 16)
    assert {p.width for p in small.panels[0][:2]} == {40}
    assert small.shown == 2
    wide = plan(ACCUBOOKS, 120, 30)
    assert [p.width for p in wide.panels[0]] == [40, 40, 40]
    assert wide.panels[0][0].height >= 8
    assert len({p.y for p in wide.panels[1]}) == 1
    assert plan((), 80, 24).height == 0


@pytest.mark.parametrize("sizes", [ACCUBOOKS, (1, 1, 1, 1), (3, 3), (2, 5, 1), (3,), (3, 2)])
@pytest.mark.parametrize("width", [60, 80, 99])
@pytest.mark.parametrize("height", [6, 16, 40])
def test_narrow_groups_flow_into_both_columns(sizes: tuple[int, ...], width: int, height: int) -> None:
    found = plan(sizes, width, height)
    shown = [place for group in found.panels[: found.shown] for place in group]
    assert [len(group) for group in found.panels[: found.shown]] == list(sizes[: found.shown])
    assert shown == sorted(shown, key=lambda p: (p.y, p.x))
    alone = [p for p in shown if sum(q.y == p.y for q in shown) == 1]
    assert len(alone) == len(shown) % 2
    assert all(p is shown[-1] for p in alone)


@pytest.mark.parametrize("theme", [DARK, LIGHT, NO_COLOUR])
async def test_every_theme_sets_its_own_verdict_colours(theme: Theme) -> None:
    async with driven(OverviewScreen, full(), theme=theme) as screen:
        known = screen.app.current_theme
        assert known.name == f"opsconsole-{theme.name}"
        assert known.error
        assert known.warning
        assert known.success
        if theme is NO_COLOUR:
            styles = [
                segment.style
                for strip in screen.app.screen._compositor.render_strips()
                for segment in strip
                if segment.style is not None
            ]
            assert all(s.color is None or s.color.is_default for s in styles)
            assert all(s.bgcolor is None or s.bgcolor.is_default for s in styles)

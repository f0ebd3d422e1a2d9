"""The plot of free space, as numbers for an inline SVG without script, library or style attribute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tempoftp.hosts.space import SpacePoint

WIDTH, HEIGHT = 720, 240
LEFT, RIGHT, TOP, BOTTOM = 64, 26, 14, 30
GRID_LINES = 4


@dataclass(frozen=True, slots=True)
class Plot:
    """Paths and labels in the coordinates of the drawing; `grid` is (y, bytes), `days` is (x, day, its number)."""

    width: int
    height: int
    left: int
    right: int
    bottom: int
    line: str
    area: str
    grid: list[tuple[float, float]]
    days: list[tuple[float, SpacePoint, int]]


def build_plot(points: Sequence[SpacePoint], total: int) -> Plot:
    """Return the drawing of free space as steps; the axis begins at zero and ends at the whole disk."""
    ceiling = max(total, *(point.free for point in points), 1)
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    floor = float(HEIGHT - BOTTOM)
    last = max(len(points) - 1, 1)
    places = [
        (round(LEFT + inner_width * index / last, 1), round(floor - inner_height * point.free / ceiling, 1))
        for index, point in enumerate(points)
    ]
    steps = f"M{places[0][0]} {places[0][1]}" + "".join(f"H{x}V{y}" for x, y in places[1:])
    grid = [
        (round(floor - inner_height * part / GRID_LINES, 1), ceiling * part / GRID_LINES)
        for part in range(GRID_LINES + 1)
    ]
    every = max(1, round(last / 6))
    days = [(places[index][0], points[index], index) for index in range(0, len(points), every)]
    area = f"{steps}V{floor}H{LEFT}Z"
    return Plot(WIDTH, HEIGHT, LEFT, WIDTH - RIGHT, HEIGHT - BOTTOM, steps, area, grid, days)

"""`/portal/resumen`: for operators: space and its forecast, hosts, copies under way, failures."""

from __future__ import annotations

from flask import render_template

from tempoftp.hosts.space import forecast_space
from tempoftp.http.access import Role, allow
from tempoftp.http.context import get_context
from tempoftp.monitoring.health import read_health
from tempoftp.monitoring.overview import read_overview
from tempoftp.portal.plot import build_plot
from tempoftp.portal.routes import portal

FORECAST_DAYS = 14


@portal.get("/resumen")
@allow(Role.OPERADOR)
def overview_page() -> str:
    """Show how the system is."""
    context = get_context()
    with context.database.read() as session:
        health = read_health(session, context.settings, unreadable=context.key_check.read(session))
        overview = read_overview(session)
        forecast = forecast_space(session, context.settings, days=FORECAST_DAYS)
    plot = build_plot(forecast.points, forecast.total) if forecast is not None else None
    return render_template(
        "portal/overview.html", health=health, overview=overview, forecast=forecast, plot=plot
    )

"""The HTTP API: routes, bodies, answers, problems."""

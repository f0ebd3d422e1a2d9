"""Health, figures for Prometheus and the overview, read from the database."""

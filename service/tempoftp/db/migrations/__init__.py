"""Alembic migrations, part of the package so that an installed service can bring its database up to date."""

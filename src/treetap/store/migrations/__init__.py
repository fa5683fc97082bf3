"""Alembic's folder: what turns the tables of one version into those of the next."""

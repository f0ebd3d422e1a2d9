"""The service's database: engine, clock, models, migrations, backup."""

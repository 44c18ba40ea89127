"""How a database of an older nusetd becomes one of this nusetd, step by step (Alembic)."""

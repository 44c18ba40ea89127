"""Canonical cases, defined once and used by tests everywhere."""

"""The configuration of the service: one TOML file, all faults at once, and what a reload may change.

Takes text and a machine; gives frozen objects, or faults with line and remedy. It starts nothing.
"""

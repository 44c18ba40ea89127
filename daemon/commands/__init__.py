"""The sub-commands of `nusetd`, a module each with `EXAMPLE`, `add_arguments(parser)` and `execute(arguments)`.

Each takes what was typed; gives results on standard output and an exit code. A command loads what it needs when it
runs, and holds no logic that another part of the daemon could want.
"""

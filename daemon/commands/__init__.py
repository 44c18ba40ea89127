"""The sub-commands of `nusetd`, a module each with `EXAMPLE`, `add_arguments(parser)` and `execute(arguments)`."""

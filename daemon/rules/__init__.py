"""Rules for the microscope: what was committed is looked at, and somebody is told, while the experiment still runs.

Takes events from the ledger and the rules of the configuration; gives answers, which are written down once and sent by
a file, a webhook or a command, at least once and never late. In threads of its own, which only read results: the
pipeline waits for nothing here. What is decided depends on the ledger alone, so a stored acquisition can be replayed.
"""

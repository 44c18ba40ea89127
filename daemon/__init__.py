"""Time, processes and people: the service, its command line and its watch over folders.

Takes folders, a configuration and what people type; gives results through `storage`, and words to people. It computes
nothing on pixels: `nuset_engine` and `tracking` do.
"""

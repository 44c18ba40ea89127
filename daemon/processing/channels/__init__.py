"""Which channel of an acquisition shows nuclei: by the names of channels, else by a look at them with the engine.

Takes descriptions and planes; gives a channel with figures, and sentences for people. It writes no rows.
"""

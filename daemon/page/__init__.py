"""What browsers see: the server of stores, and links that open them in viewers.

Takes a database for reading; gives files over HTTP on loopback. It writes nothing.
"""

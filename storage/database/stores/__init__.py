"""Where acquisitions keep their OME-Zarr and whose it is: identities, stores that are made anew, mounts of folders.

Takes a connection; writes identities and places of stores, and queues again what a lost store held. It opens no store
and looks at no disk.
"""

"""Workers of a Dask cluster: how it is reached, what runs there, and how the queue loop sees it.

Takes tasks and gives results, as processes of this machine do (`daemon.processing.workers`). Dask carries them and says
who is there; the database alone says what is done, so that workers, scheduler and daemon may be lost at any moment. It
must not load Dask before somebody asks for a cluster, and nothing that runs there may reach the database.
"""

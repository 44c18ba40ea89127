"""From watched folders to queued time points: events, sweeps, readiness, looking into files, admission.

Takes folders; gives acquisitions with queued time points through the catalog. Files are looked into by a process of its
own. It segments nothing and holds no worker.
"""

"""What Dask wants to know to reach a scheduler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.configuration.cluster.scheduler_access import SchedulerAccess
from daemon.errors import DaemonError

if TYPE_CHECKING:
    from distributed.security import Security


def security_of(access: SchedulerAccess) -> Security | None:
    """Return the certificates of a scheduler's access, None where it goes without.

    Raises
    ------
    DaemonError
        When it must not be used so, Dask is not installed, or a file is not there.
    """
    if access.fault is not None:
        raise DaemonError(access.fault)
    try:
        from distributed.security import Security
    except ImportError as error:
        raise DaemonError("Dask's scheduler is not installed: pip install 'nusetd[dask]'.") from error
    if not access.is_protected:
        return None
    for path in (access.ca, access.certificate, access.key):
        if path is None or not path.is_file():
            raise DaemonError(f"{path} is not there: it is needed to reach {access.address}.")
    return Security(
        require_encryption=True,
        tls_ca_file=str(access.ca),
        tls_client_cert=str(access.certificate),
        tls_client_key=str(access.key),
        tls_worker_cert=str(access.certificate),
        tls_worker_key=str(access.key),
    )

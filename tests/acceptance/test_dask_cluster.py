"""A service and `nusetd process` on a Dask cluster: the same results, whoever dies, and with nobody let in unasked."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cases import postgres
from cases.dask_cluster import DaskCluster, write_certificates
from lab import ENGINE, VOXEL, Lab, assert_same, environment, nusetd, result, stack, write_stack

import storage

pytestmark = pytest.mark.long  # `.ci/run` runs them once
SPACING = ",".join(map(str, VOXEL))


@pytest.fixture
def new_cluster(tmp_path: Path) -> Iterator[Callable[..., DaskCluster]]:
    """Make clusters, which end with the test."""
    made: list[DaskCluster] = []

    def make(certificates: Path | None = None) -> DaskCluster:
        made.append(DaskCluster(tmp_path / "cluster", environment(), certificates))
        return made[-1]

    yield make
    for one in made:
        one.end()


def write_movies(folder: Path, movies: int = 3, times: int = 6) -> None:
    """Short movies, each of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for movie in range(movies):
        for t in range(times):
            write_stack(folder / f"m{movie}_t{t:03}.tif", stack(t, seed=movie + 1))


def test_whoever_dies_the_results_are_those_of_one_local_worker(
    new_lab: Callable[..., Lab], new_cluster: Callable[..., DaskCluster]
) -> None:
    """Kills of a worker, the scheduler and the daemon in turn, while files arrive."""
    cluster = new_cluster()
    lab, alone = new_lab("cluster", workers=f"dask:{cluster.address}"), new_lab("alone")
    write_movies(alone.incoming)
    alone.start()
    lab.start()  # before there is a scheduler: it waits
    lab.wait(lambda: "workers wait" in lab.said())
    cluster.start_scheduler()
    for _ in range(2):
        cluster.add_worker()
    write_movies(lab.incoming, times=2)
    lab.wait(lambda: lab.done() >= 2)
    for movie in range(3):
        for t in range(2, 6):
            write_stack(lab.incoming / f"m{movie}_t{t:03}.tif", stack(t, seed=movie + 1))
        done = lab.done()
        if movie == 0:
            cluster.kill_task_process(0)
        elif movie == 1:
            cluster.kill_scheduler()
            time.sleep(1.0)
            cluster.start_scheduler()
        else:
            lab.kill()
            lab.start()
        lab.wait(lambda done=done: lab.done() > done)  # type: ignore[misc]
    for one in (lab, alone):
        one.wait(lambda one=one: one.settled() and one.done() == 18)  # type: ignore[misc]
        assert one.stop() == 0, one.said()
    assert_same(result(lab), result(alone))
    assert not list(lab.output.rglob("*.part*"))
    assert not list(lab.output.rglob(".nusetd-seen*"))


def test_nobody_is_let_in_without_a_certificate(tmp_path: Path, new_cluster: Callable[..., DaskCluster]) -> None:
    certificates = write_certificates(tmp_path / "certificates")
    cluster = new_cluster(certificates)
    cluster.start_scheduler()
    cluster.add_worker()
    write_movies(tmp_path / "in", movies=1, times=2)
    config = tmp_path / "nusetd.toml"
    files = "".join(f'{name} = "certificates/{file}"\n' for name, file in
                    (("ca", "ca.pem"), ("certificate", "own.pem"), ("key", "own.key")))  # fmt: skip
    config.write_text(f'[engine]\nworkers = "dask:{cluster.address}"\nfactory = "{ENGINE}"\n[engine.dask]\n{files}')
    done = nusetd("process", tmp_path / "in", "--output", tmp_path / "out", "--config", config, "--voxel-size", SPACING)
    assert done.returncode == 0, done.stderr
    assert len(storage.open(tmp_path / "out")["m0"].nuclei()) == 10
    refused = nusetd("process", tmp_path / "in", "--output", tmp_path / "x", "--workers", f"dask:{cluster.address}")
    assert refused.returncode == 2
    assert "needs certificates" in refused.stderr


def test_workers_elsewhere_with_results_in_an_object_store_and_rows_on_a_server(
    tmp_path: Path, new_cluster: Callable[..., DaskCluster]
) -> None:
    """Two workers, each with a working folder of its own; one sees the images under another path."""
    moto = pytest.importorskip("moto.server", reason="needs moto, an object server for tests")
    pytest.importorskip("s3fs", reason="needs the extra nusetd[remote]")
    boto3 = pytest.importorskip("boto3", reason="needs boto3, which comes with moto")
    if postgres.binaries() is None:
        pytest.skip("needs PostgreSQL: apt install postgresql")
    objects = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    objects.start()
    host, port = objects.get_host_and_port()
    keys = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "tester",
            "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}  # fmt: skip
    before = dict(os.environ)
    os.environ.update(keys)
    try:
        boto3.client("s3").create_bucket(Bucket="cluster")  # this process keeps no line to a server that will be gone
        write_movies(tmp_path / "in", movies=2, times=3)
        (tmp_path / "elsewhere").symlink_to(tmp_path / "in")
        cluster = new_cluster()
        cluster.start_scheduler()
        for number, mapped in enumerate(((), ("--map", f"{tmp_path / 'in'}={tmp_path / 'elsewhere'}"))):
            own = tmp_path / f"work-{number}"
            own.mkdir()
            cluster.add_worker(*mapped, cwd=own, **keys)
        with postgres.server() as url:
            where = ("--output", "s3://cluster/results", "--database", url)
            more = ("--engine", ENGINE, "--voxel-size", SPACING, "--workers", f"dask:{cluster.address}")
            done = nusetd("process", tmp_path / "in", *where, *more, **keys)
            assert done.returncode == 0, done.stderr
            for name in ("m0", "m1"):
                assert len(storage.open(url)[name].nuclei()) == 15
                numbers = f"set(storage.open({url!r})[{name!r}].labels()[2].compute().ravel().tolist())"
                read = f"import storage; print(sorted({numbers}))"
                labels = subprocess.run(
                    [sys.executable, "-c", read], capture_output=True, text=True, check=True, env=environment(**keys)
                )
                assert labels.stdout.strip() == str(list(range(6)))
                checked = nusetd("verify", name, "--database", url, **keys)
                assert checked.returncode == 0, checked.stderr + checked.stdout
    finally:
        objects.stop()
        os.environ.clear()
        os.environ.update(before)

"""Whatever the bytes: every reader gives a verdict and planes or one sentence, soon, and within bounded memory."""

from __future__ import annotations

import contextlib
import resource
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest
from cases import (
    czi_file,
    images,
    imaris_file,
    leica_file,
    lsm_file,
    metamorph_file,
    mmstack_file,
    ndtiff_file,
    nikon_file,
    oir_file,
    olympus_file,
    pictures,
)
from cases.stored import pixels
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.errors import StorageError
from storage.readers import companions, open_acquisitions, probe

ARRAY = pixels(2, 2, 2, 8, 9)
SECONDS, BYTES = 5, 3 << 30
WRITERS: dict[str, images.Writer] = {
    "ome-tiff": images.ome_tiff,
    "imagej-tiff": images.imagej_tiff,
    "tiff-planes": images.tiff_planes,
    "lsm": lsm_file.lsm,
    "micromanager": mmstack_file.mmstack,
    "ndtiff": ndtiff_file.ndtiff,
    "oif": olympus_file.oif,
    "oib": olympus_file.oib,
    "oir": oir_file.oir,
    "czi": czi_file.czi,
    "czi-zstd": czi_file.czi_zstd_shuffled,
    "nd2": nikon_file.nd2,
    "lif": leica_file.lif,
    "stk": metamorph_file.stk,
    "metamorph": metamorph_file.nd,
    "ims": imaris_file.ims,
    "png": lambda folder, array: pictures.png(folder, array[:1, :1, :1]),
    "jpeg": lambda folder, array: pictures.jpeg(folder, array[:1, :1, :1]),
    "ome-zarr-0.4": images.ome_zarr_04,
    "ome-zarr-0.5": images.ome_zarr_05,
}
# Numbers at which arithmetic of sizes and offsets goes wrong.
EDGES = [0, 1, 2, 4, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 1 << 40]


@pytest.fixture(scope="module", autouse=True)
def little_memory() -> Iterator[None]:
    """An allocation of a size that a damaged header claims fails, instead of filling the computer."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@contextlib.contextmanager
def soon() -> Iterator[None]:
    """Whatever takes longer, in time of the processor, is a hang."""

    def hangs(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"still busy after {SECONDS} s")

    before = signal.signal(signal.SIGPROF, hangs)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@st.composite
def damage(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """Bytes changed, numbers replaced, pieces cut out or doubled: mostly in the header and at the end."""
    changes = draw(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.integers(0, 255), st.sampled_from(EDGES)),
                            min_size=1, max_size=6))  # fmt: skip
    near = draw(st.sampled_from(["start", "end", "anywhere"]))

    def apply(content: bytes) -> bytes:
        data = bytearray(content)
        for where, kind, byte, edge in changes:
            reach = min(len(data), 1200) if near != "anywhere" else len(data)
            place = int(where * max(0, reach - 1)) + (len(data) - reach if near == "end" else 0)
            if kind == 0:
                data[place : place + 1] = bytes([byte])
            elif kind == 1:
                size = 8 if edge >> 32 else 4
                data[place : place + size] = edge.to_bytes(size, "little")
            elif kind == 2:
                del data[place : place + byte]
            else:
                data[place:place] = data[place : place + byte]
        return bytes(data)

    return apply


def read_all(path: Path) -> None:
    """Do what the service does with a file, and look at what people would see."""
    with soon():
        verdict = probe(path)
        assert verdict.state in ("complete", "growing", "incomplete")
        assert path.name.split("{")[0] in verdict.reason
        assert "\n" not in verdict.reason
        try:
            for one in open_acquisitions(path):
                with one:
                    for t in one.time_points[:2]:
                        one.fingerprint(t)
                        for c in range(min(2, one.size_c)):
                            plane = one.plane(t, c, one.size_z - 1)
                            assert plane.shape == (one.size_y, one.size_x)
        except StorageError as error:
            said = str(error)
            assert said
            assert "\n" not in said  # the sentence is what this is about
        except MemoryError:
            pytest.fail("it allocated what a damaged header claims")


def fuzz(kind: str, examples: int) -> None:
    """Damage a file of one kind, or one of the files that it consists of, in `examples` ways."""
    with tempfile.TemporaryDirectory() as folder:
        path = WRITERS[kind](Path(folder), ARRAY)
        inside = sorted(path.rglob("*")) if path.is_dir() else companions(path)[:2]
        files = [one for one in (path, *inside) if one.is_file()]
        contents = {file: file.read_bytes() for file in files}

        @settings(
            max_examples=examples, deadline=None, derandomize=True, database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )  # fmt: skip
        @given(st.integers(0, len(files) - 1), damage())
        def run(which: int, change: Callable[[bytes], bytes]) -> None:
            files[which].write_bytes(change(contents[files[which]]))
            read_all(path)
            files[which].write_bytes(contents[files[which]])

        run()


@pytest.mark.parametrize("kind", WRITERS)
def test_damaged_files_cost_no_more_than_themselves(kind: str) -> None:
    fuzz(kind, 15)


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", WRITERS)
def test_ten_thousand_damaged_files_of_every_kind(kind: str) -> None:
    fuzz(kind, 10_000)

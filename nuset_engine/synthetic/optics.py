"""What a confocal microscope makes of stained nuclei: blur, loss of light with depth, bleaching, haze and noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage

from nuset_engine.arrays import PlacesN, PlaneF32, PlaneFloat, StackF32, StackU16
from nuset_engine.errors import EngineError


@dataclass(frozen=True)
class Optics:
    """The microscope and the stain. Depth grows with the slice number.

    Attributes
    ----------
    sigma_xy_um, sigma_z_um : float
        Standard deviations of the Gaussian point spread function at the first slice.
    blur_growth_per_um : float
        Relative growth of both with depth.
    attenuation_length_um : float
        Depth after which the signal has fallen to 37 %.
    bleaching_per_frame : float
        Share of the signal lost from one time point to the next.
    photons : float
        Expected photons per voxel in a nucleus of brightness 1 at the first slice and time point.
    background_photons : float
        Mean of the background, and `background_unevenness` its relative slow variation over the field.
    haze : float
        Out-of-focus light: share of the stack's mean projection, blurred widely, that every slice receives.
    gain, offset, read_noise : float
        Grey values per photon, grey value of darkness, and standard deviation of the read-out noise in grey values.
    texture, irregularity : float
        Relative contrast of chromatin, relative height of bumps in the outline.
    seam_um : float
        Width of the darker seam where two nuclei touch.
    """

    sigma_xy_um: float = 0.22
    sigma_z_um: float = 0.75
    blur_growth_per_um: float = 0.012
    attenuation_length_um: float = 60.0
    bleaching_per_frame: float = 0.012
    photons: float = 55.0
    background_photons: float = 3.0
    background_unevenness: float = 0.35
    haze: float = 0.06
    gain: float = 22.0
    offset: float = 110.0
    read_noise: float = 9.0
    texture: float = 0.28
    irregularity: float = 0.035
    seam_um: float = 0.45


@dataclass(frozen=True)
class MissedSlice:
    """A slice that the microscope got wrong: black (nothing recorded), or shifted sideways."""

    z: int
    kind: Literal["black", "shifted"] = "black"
    shift_px: tuple[int, int] = (0, 0)


def expose(
    stain: StackF32,
    voxel_size_um: tuple[float, float, float],
    optics: Optics,
    rng: np.random.Generator,
    time_point: int = 0,
    missed: Sequence[MissedSlice] = (),
) -> StackU16:
    """Take the picture of a stained volume.

    Parameters
    ----------
    stain : (Z, Y, X) float32
        Stain per voxel, 1 in an ordinary nucleus.
    voxel_size_um : tuple of float
        z, y, x.
    optics : Optics
    rng : numpy.random.Generator
        Noise and background; the same state gives the same bytes.
    time_point : int
        Number of frames of bleaching.
    missed : sequence of MissedSlice

    Returns
    -------
    (Z, Y, X) uint16
        Grey values.

    Raises
    ------
    EngineError
        If a missed slice lies outside the stack.
    """
    depth_um = np.arange(stain.shape[0], dtype=np.float32) * voxel_size_um[0]
    light = _blur(stain, depth_um, voxel_size_um, optics)
    light *= np.exp(-depth_um / optics.attenuation_length_um)[:, None, None]
    light += optics.haze * _haze(light, voxel_size_um)
    light *= optics.photons * (1.0 - optics.bleaching_per_frame) ** time_point
    light += optics.background_photons * _background(light.shape[1:], optics.background_unevenness, rng)
    for slice_ in missed:
        _miss(light, slice_)
    grey = rng.poisson(light).astype(np.float32)
    grey *= optics.gain
    grey += optics.offset
    grey += optics.read_noise * rng.standard_normal(grey.shape, dtype=np.float32)
    return np.clip(np.rint(grey, out=grey), 0, 65535, out=grey).astype(np.uint16)


def _blur(stain: StackF32, depth_um: PlacesN, voxel_size_um: tuple[float, float, float], optics: Optics) -> StackF32:
    """Gaussian blur that widens with depth: slice by slice in the plane, then as a matrix along z."""
    growth = 1.0 + optics.blur_growth_per_um * depth_um
    planes = np.empty(stain.shape, dtype=np.float32)
    for z, plane in enumerate(stain):
        sigma = optics.sigma_xy_um * growth[z] / np.asarray(voxel_size_um[1:])
        ndimage.gaussian_filter(plane, sigma, mode="constant", truncate=3.0, output=planes[z])
    distance = (depth_um[:, None] - depth_um[None, :]) / (optics.sigma_z_um * growth[:, None])
    kernel = np.exp(-0.5 * distance**2)
    # A source deep inside the stack sends its whole light somewhere: each source's column sums to 1, except at the
    # ends, where the light that would fall outside the stack is lost; the infinite sum is the Gaussian's area.
    area = np.sqrt(2 * np.pi) * optics.sigma_z_um * growth / voxel_size_um[0]
    kernel /= np.maximum(area, 1.0)[:, None]
    light: StackF32 = np.tensordot(kernel.astype(np.float32), planes, axes=1)
    return light


def _haze(light: StackF32, voxel_size_um: tuple[float, float, float]) -> PlaneF32:
    """Light from all slices, out of focus: (Y, X) float32."""
    projection = light.mean(axis=0)
    coarse = projection[::4, ::4]
    coarse = ndimage.gaussian_filter(coarse, 5.0 / (4 * np.asarray(voxel_size_um[1:])), mode="nearest")
    return _stretch(coarse, projection.shape)


def _background(shape: tuple[int, ...], unevenness: float, rng: np.random.Generator) -> PlaneF32:
    """A slow field (Y, X) float32 with mean about 1, never negative."""
    coarse = ndimage.gaussian_filter(rng.normal(size=(8, 8)), 1.5, mode="nearest")
    coarse = coarse / max(float(np.abs(coarse).max()), 1e-6)
    return _stretch(np.maximum(1.0 + unevenness * coarse, 0.0).astype(np.float32), shape)


def _stretch(coarse: PlaneFloat, shape: tuple[int, ...]) -> PlaneF32:
    """Bilinear enlargement of a coarse field to (Y, X)."""
    y, x = (np.linspace(0, n - 1, m, dtype=np.float32) for n, m in zip(coarse.shape, shape, strict=True))
    y0, x0 = (np.minimum(v.astype(np.intp), max(n - 2, 0)) for v, n in zip((y, x), coarse.shape, strict=True))
    rows = coarse[y0] + (coarse[np.minimum(y0 + 1, len(coarse) - 1)] - coarse[y0]) * (y - y0)[:, None]
    right = np.minimum(x0 + 1, coarse.shape[1] - 1)
    field: PlaneF32 = (rows[:, x0] + (rows[:, right] - rows[:, x0]) * (x - x0)).astype(np.float32)
    return field


def _miss(light: StackF32, missed: MissedSlice) -> None:
    """Spoil one slice of the expected photons in place."""
    if not 0 <= missed.z < len(light):
        raise EngineError(
            f"Missed slice {missed.z} lies outside the stack of {len(light)} slices: give 0 to {len(light) - 1}."
        )
    if missed.kind == "black":
        light[missed.z] = 0.0
        return
    rows, columns = (np.arange(n) - s for n, s in zip(light.shape[1:], missed.shift_px, strict=True))
    plane = light[missed.z]
    light[missed.z] = plane[np.clip(rows, 0, len(rows) - 1)][:, np.clip(columns, 0, len(columns) - 1)]

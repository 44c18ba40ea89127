// Columns of nuclei in words with their units; the name of the column itself is told beside them.

const WORDS = {
  t: "time point, from 0", source_t: "time point", label: "label", track_id: "track", score: "score", generation: "generation",
  centroid_z_um: "centre z (µm)", centroid_y_um: "centre y (µm)", centroid_x_um: "centre x (µm)",
  volume_um3: "volume (µm³)", area_um2: "area (µm²)", volume_px: "size (voxels)", equivalent_diameter_um: "diameter (µm)",
  axis_major_length_um: "longest axis (µm)", axis_minor_length_um: "shortest axis (µm)", elongation: "elongation", extent: "share of its box",
  intensity_mean: "mean intensity", intensity_std: "spread of intensity", intensity_min: "least intensity", intensity_max: "greatest intensity",
  slices_seen: "slices in which it was found", slices_expected: "slices expected of its width", gap_bridged: "a slice was filled in",
  split_suspected: "may be part of a nucleus", merge_suspected: "may be several nuclei", touches_border: "cut off by the edge", corrected: "corrected by a person",
};
const UNITS = { um3: "µm³", um2: "µm²", um: "µm", px: "px", s: "s" };

export function inWords(column) {
  if (WORDS[column]) return WORDS[column];
  const parts = column.split("_");
  const unit = parts.length > 1 ? UNITS[parts.at(-1)] : undefined;
  return unit ? `${parts.slice(0, -1).join(" ")} (${unit})` : parts.join(" ");
}

// What people want to know of a nucleus first, as far as it is there.
export const FIRST = ["track_id", "volume_um3", "area_um2", "equivalent_diameter_um", "intensity_mean", "elongation", "score", "touches_border", "split_suspected", "merge_suspected", "corrected"];

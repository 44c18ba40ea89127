// Colours of nuclei: by what they are, or by a measure.

const RAMP = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];

export function kindColour(number) {
  if (number === null || number === undefined) return [150, 150, 150];
  const hue = (number * 0.61803398875) % 1;
  return fromHue(hue, 0.55 + 0.25 * ((number * 0.37) % 1));
}

export function rampColour(share) {
  const place = Math.min(Math.max(share, 0), 1) * (RAMP.length - 1);
  const low = Math.min(Math.floor(place), RAMP.length - 2);
  return RAMP[low].map((from, i) => Math.round(from + (RAMP[low + 1][i] - from) * (place - low)));
}

function fromHue(hue, light) {
  const part = (n) => {
    const k = (n + hue * 12) % 12;
    return Math.round(255 * (light - 0.8 * Math.min(light, 1 - light) * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [part(0), part(8), part(4)];
}

// Colours of the labels of a time point: a function of the label.
export function colouring(rows, column) {
  const values = rows && rows[column];
  if (!values) return (label) => kindColour(label);
  const known = new Map(rows.label.map((label, i) => [label, values[i]]));
  if (["label", "track_id", "root_track_id", "generation"].includes(column)) return (label) => kindColour(known.get(label));
  const sorted = values.filter((value) => typeof value === "number").sort((a, b) => a - b);
  const low = sorted[Math.floor(sorted.length * 0.05)];
  const high = sorted[Math.floor(sorted.length * 0.95)];
  return (label) => {
    const value = known.get(label);
    return typeof value === "number" ? rampColour(high > low ? (value - low) / (high - low) : 0.5) : [150, 150, 150];
  };
}

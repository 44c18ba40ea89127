// The family of a track as a tree: time to the right, a line per track, daughters below and above their mother.

import { drawn, element } from "/static/build.js";

const WIDTH = 440;
const LINE = 22;

export function tree(tracks, chosen, now, { choose, go, say }) {
  const root = element("div");
  if (!tracks || !tracks.track_id.length) return root;
  const rows = tracks.track_id.map((id, i) => ({ id, parent: tracks.parent_track_id[i], first: tracks.first_t[i], last: tracks.last_t[i] }));
  const byId = new Map(rows.map((row) => [row.id, row]));
  const daughters = (id) => rows.filter((row) => row.parent === id).sort((a, b) => a.id - b.id);
  let leaf = 0;
  const place = (row) => {
    const below = daughters(row.id).map(place);
    row.y = below.length ? below.reduce((sum, y) => sum + y, 0) / below.length : leaf++;
    return row.y;
  };
  rows.filter((row) => !byId.has(row.parent)).forEach(place);
  const first = Math.min(...rows.map((row) => row.first));
  const last = Math.max(...rows.map((row) => row.last), first + 1);
  const across = (t) => 12 + ((WIDTH - 60) * (t - first)) / (last - first);
  const down = (y) => 18 + y * LINE;
  const height = down(leaf - 1) + 30;
  const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": "lineage" });
  for (const row of rows) {
    const mother = byId.get(row.parent);
    if (mother) svg.append(drawn("path", { class: "axis", d: `M${across(mother.last)} ${down(mother.y)}L${across(row.first)} ${down(row.y)}`, fill: "none" }));
  }
  for (const row of rows) {
    const end = Math.max(across(row.last), across(row.first) + 2);
    const branch = drawn("path", {
      class: row.id === chosen ? "branch chosen" : "branch",
      "data-track": row.id,
      d: `M${across(row.first)} ${down(row.y)}L${end} ${down(row.y)}`,
      onclick: () => choose(row.id, row.first),
    });
    branch.append(drawn("title", {}, `track ${row.id}: t ${say(row.first)} to ${say(row.last)}`));
    svg.append(branch, drawn("text", { x: end + 4, y: down(row.y) + 4 }, String(row.id)));
  }
  if (now >= first && now <= last) svg.append(drawn("line", { class: "now", x1: across(now), x2: across(now), y1: 4, y2: height - 16 }));
  svg.append(drawn("text", { x: 12, y: height - 3 }, `t = ${say(first)}`), drawn("text", { x: WIDTH - 48, y: height - 3, "text-anchor": "end" }, `t = ${say(last)}`));
  root.append(svg, jumps(rows, byId.get(chosen), daughters(chosen), { choose, go }));
  return root;
}

function jumps(rows, own, daughters, { choose, go }) {
  if (!own) return element("div");
  const mother = rows.find((row) => row.id === own.parent);
  const buttons = [
    element("button", { onclick: () => go(own.first) }, mother ? "its birth" : "where it begins"),
    element("button", { onclick: () => go(own.last) }, daughters.length ? "its division" : "where it ends"),
  ];
  if (mother) buttons.push(element("button", { onclick: () => choose(mother.id, mother.last) }, `mother ${mother.id}`));
  for (const row of daughters) buttons.push(element("button", { onclick: () => choose(row.id, row.first) }, `daughter ${row.id}`));
  return element("div", { class: "row" }, ...buttons);
}

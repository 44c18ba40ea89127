// The divisions of an acquisition: which nuclei divide, or were born, at a time point, and a list of all to jump to.

import { element } from "/static/build.js";

// columns: { track_id, parent_track_id, first_t, parent_last_t }, a row a daughter.
export function divisionsOf(columns) {
  const byMother = new Map();
  columns.parent_track_id.forEach((mother, i) => {
    const one = byMother.get(mother) || { mother, last: columns.parent_last_t[i], first: columns.first_t[i], daughters: [] };
    one.first = Math.min(one.first, columns.first_t[i]);
    one.daughters.push({ track: columns.track_id[i], first: columns.first_t[i] });
    byMother.set(mother, one);
  });
  return [...byMother.values()].sort((a, b) => a.last - b.last || a.mother - b.mother);
}

// What is marked at a time point: mothers that divide after it, and daughters that begin with it, by track.
export function marksAt(divisions, t) {
  const found = new Map();
  for (const { mother, last, daughters } of divisions) {
    if (last === t) found.set(mother, "divides");
    for (const one of daughters) if (one.first === t) found.set(one.track, "born");
  }
  return found;
}

// A row a division; `choose(track, t)` goes to a track at a time point, `say` writes time points as people do.
export function divisionList(divisions, now, { choose, say }) {
  if (!divisions.length) return [element("p", { class: "quiet" }, "No division was found so far.")];
  const jump = (track, t) => element("button", { class: "plain", "data-jump": track, onclick: () => choose(track, t) }, String(track));
  const rows = divisions.map(({ mother, last, daughters }) =>
    element("tr", { class: last === now ? "chosen" : null, "data-division": mother }, element("td", {}, say(last)), element("td", {}, jump(mother, last)), element("td", { class: "words" }, ...daughters.map((one) => jump(one.track, one.first)))),
  );
  const head = element("tr", {}, element("th", { title: "the mother's last time point" }, "t"), element("th", {}, "mother"), element("th", { class: "words" }, "daughters"));
  const count = element("p", { class: "quiet" }, `${divisions.length} division${divisions.length === 1 ? "" : "s"}; a click goes there. In the picture, rings mark who divides next (orange) and who was just born (green).`);
  return [count, element("table", { class: "divisions" }, head, ...rows)];
}

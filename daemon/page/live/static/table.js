// The nuclei of a time point as a table: sorted by a click on a name, a row chosen by a click on it.

import { element, number } from "/static/build.js";
import { inWords } from "/static/columns.js";

const MOST = 400;
const FIRST = ["label", "track_id", "volume_um3", "area_um2", "equivalent_diameter_um", "intensity_mean", "score", "elongation"];

export function table(rows, more, chosen, sort, { pick, sorted }) {
  const names = FIRST.filter((name) => rows[name] && rows[name].some((value) => value !== null));
  const order = rows.label.map((_, i) => i);
  if (sort.name && rows[sort.name]) order.sort((a, b) => compare(rows[sort.name][a], rows[sort.name][b]) * (sort.down ? -1 : 1));
  const head = names.map((name) => element("th", { title: name, onclick: () => sorted(name) }, inWords(name) + (sort.name === name ? (sort.down ? " ▾" : " ▴") : "")));
  const body = order.slice(0, MOST).map((i) =>
    element(
      "tr",
      { class: rows.label[i] === chosen ? "chosen" : null, "data-label": rows.label[i], onclick: () => pick(rows.label[i]) },
      ...names.map((name) => element("td", {}, number(rows[name][i]))),
    ),
  );
  const left = order.length - Math.min(order.length, MOST);
  const note = left || more ? `${left || "Some"} more rows are not shown: narrow them by a filter, or use \`nusetd nuclei\`.` : "";
  return [element("table", {}, element("tr", {}, ...head), ...body), element("p", { class: "quiet" }, note)];
}

function compare(a, b) {
  if (a === null) return 1;
  if (b === null) return -1;
  return a < b ? -1 : a > b ? 1 : 0;
}

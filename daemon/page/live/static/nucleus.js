// What is known of one nucleus: what people want first, the rest folded.

import { element, number } from "/static/build.js";
import { FIRST, inWords } from "/static/columns.js";

const NOT_A_MEASURE = ["id", "acquisition_id", "measurements"];

// row: [column, value] pairs; `say` writes a time point as people do.
export function nucleus(row) {
  const known = row.filter(([name, value]) => value !== null && value !== undefined && !NOT_A_MEASURE.includes(name));
  const first = FIRST.map((name) => known.find(([other]) => other === name)).filter((one) => one && one[1] !== false && one[1] !== 0);
  const rest = known.filter(([name]) => !first.some(([other]) => other === name));
  return [list(first), element("details", { class: "all-measures" }, element("summary", {}, `all measures (${known.length})`), list(rest))];
}

function list(pairs) {
  return element("dl", { class: "facts" }, ...pairs.flatMap(([name, value]) => [element("dt", { title: name }, inWords(name)), element("dd", {}, shown(value))]));
}

function shown(value) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  return number(value);
}

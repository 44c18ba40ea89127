// Orders: each asks before it does what cannot be taken back, and says what came of it.

import { ask, order, query, tell, told } from "/static/api.js";
import { dialog, element } from "/static/build.js";

async function ordered(what, values) {
  const answer = await told(order(`/api/orders/${what}`, values));
  if (answer) tell(answer.said, "good");
  return Boolean(answer);
}

// A thing that was set aside, why, and what can be done.
export function aside(one, readOnly) {
  const what = one.failed ? `${one.failed} time point${one.failed === 1 ? "" : "s"} failed` : "could not be taken";
  const given = Object.keys(one.given).length ? element("p", { class: "quiet" }, `given before: ${JSON.stringify(one.given)}`) : null;
  return element(
    "div",
    { class: "one", "data-aside": one.id },
    element("div", { class: "name" }, one.name, element("span", { class: "quiet" }, ` ${what}`)),
    element("p", { class: "reason" }, one.reason),
    element("p", { class: "quiet path" }, one.source_path),
    given,
    readOnly ? null : element("div", { class: "row" }, retry(one), submit(one), forget(one), dismiss(one)),
  );
}

export function retry(one) {
  return element("button", { "data-order": "retry", title: "queue again what failed", onclick: () => ordered("retry", { acquisition: one.id }) }, "retry");
}

export function dismiss(one) {
  return element("button", { "data-order": "dismiss", title: "tell of this no more; nothing else changes", onclick: () => ordered("dismiss", { acquisition: one.id }) }, "dismiss");
}

export function submit(one) {
  return element("button", { "data-order": "submit", title: "say what the file does not say, or says wrongly", onclick: () => taking(`Take ${one.name} as it is now`, { acquisition: one.id }) }, "take with other facts …");
}

export function forget(one) {
  return element("button", { "data-order": "forget", class: "danger", onclick: () => forgetting(one) }, "forget …");
}

export function takeFile() {
  return element("button", { "data-order": "take", title: "a file that is in a watched folder and not taken by itself", onclick: () => told(choosing("")) }, "take a file now …");
}

function forgetting(one) {
  const keep = element("input", { type: "checkbox", "aria-label": "keep files" });
  const doing = element("button", { class: "danger", "data-confirm": true, onclick: () => box.close("yes") }, `forget ${one.name}`);
  const box = dialog(
    `Forget ${one.name}?`,
    element("p", {}, "Its OME-Zarr and all its rows are removed, for good. Its source stays where it is. Export before what is to be kept."),
    element("label", { class: "line" }, keep, "leave the OME-Zarr where it is"),
    element("div", { class: "row end" }, element("button", { onclick: () => box.close() }, "keep it"), doing),
  );
  box.addEventListener("close", async () => {
    if (box.returnValue !== "yes") return;
    const done = await ordered("forget", { acquisition: one.id, name: one.name, keep_files: keep.checked });
    if (done && location.hash.startsWith(`#/a/${one.id}`)) location.hash = "#/";
  });
}

const FACTS = [
  ["axes", "axes of a TIFF, slowest first", "TYX"],
  ["channel", "channel with the nuclei, by number from 0 or name", "DAPI"],
  ["voxel_um", "voxel size z, y, x in µm", "2, 0.3, 0.3"],
  ["interval_s", "seconds between time points", "60"],
];

function taking(title, source) {
  const inputs = Object.fromEntries(FACTS.map(([name, words, example]) => [name, element("input", { name, placeholder: example, "aria-label": words })]));
  const whatever = element("input", { type: "checkbox", "aria-label": "whatever the file says" });
  const image = element("input", { type: "checkbox", "aria-label": "an image, no labels" });
  const doing = element("button", { class: "main", "data-confirm": true, onclick: send }, "take it");
  const box = dialog(
    title,
    element("p", {}, "Say what the file does not say, or says wrongly; leave the rest empty. What was found with other facts gives way to the new result."),
    element("dl", { class: "form" }, ...FACTS.flatMap(([name, words]) => [element("dt", {}, words), element("dd", {}, inputs[name])])),
    element("label", { class: "line" }, whatever, "this voxel size counts whatever the file says"),
    element("label", { class: "line" }, image, "it is an image, even if it looks like labels or a mask"),
    element("p", { class: "quiet" }, "Which files belong together is said by `pattern` of the watched folder in the configuration, for all of them."),
    element("div", { class: "row end" }, element("button", { onclick: () => box.close() }, "cancel"), doing),
  );
  async function send() {
    const values = Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, input.value]));
    doing.disabled = true;
    if (await ordered("submit", { ...source, ...values, voxel_whatever_the_file_says: whatever.checked, as_image: image.checked })) box.close();
    doing.disabled = false;
  }
}

// Files of the server, where they may be chosen.
async function choosing(folder, box = null) {
  const found = await ask(`/api/files?${query({ folder })}`);
  const entries = found.entries.map((one) =>
    element("li", {}, element("button", { class: "plain", onclick: () => (one.folder ? told(choosing(one.path, shown)) : chosen(one)) }, one.folder ? `${one.name}/` : one.name)),
  );
  const above = found.above === null ? null : element("button", { onclick: () => told(choosing(found.above, shown)) }, "up");
  const whole = found.path && found.above !== "" ? element("button", { onclick: () => chosen({ name: found.path, path: found.path }) }, "all of this folder") : null;
  const parts = [
    element("h2", {}, "Take a file now"),
    element("p", { class: "quiet path" }, found.path || "Watched folders, and those that the configuration opens:"),
    element("ul", { class: "files" }, ...entries),
    entries.length ? null : element("p", { class: "empty" }, "There is nothing in it."),
    found.more ? element("p", { class: "quiet" }, "There is more than is shown.") : null,
    element("div", { class: "row end" }, above, whole, element("button", { onclick: () => shown.close() }, "cancel")),
  ];
  const shown = box || dialog("Take a file now");
  shown.replaceChildren(...parts.filter(Boolean));

  function chosen(one) {
    shown.close();
    taking(`Take ${one.name} as it is now`, { path: one.path });
  }
}

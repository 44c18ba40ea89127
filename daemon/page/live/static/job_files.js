// Choosing a file or folder of the server, below the folders that are open for it.

import { ask, query, told } from "/static/api.js";
import { element } from "/static/build.js";

// A field for a path, with a list that opens beside it; `changed` is told each choice.
export function folderField(label, hint, changed = () => {}) {
  const input = element("input", { type: "text", "aria-label": label, placeholder: "/data/…", spellcheck: "false", onchange: () => changed(input.value) });
  const list = element("div", { class: "chooser" });
  const open = element("button", { type: "button", onclick: () => (list.childElementCount ? list.replaceChildren() : look(parent(input.value))) }, "choose …");

  async function look(folder) {
    const found = (await told(ask(`/api/files?${query({ folder })}`))) || (folder ? await told(ask("/api/files")) : null);
    if (!found) return;
    const rows = found.entries.filter((one) => one.folder).map((one) => element("button", { type: "button", onclick: () => take(one.path) }, one.name));
    const images = found.entries.filter((one) => !one.folder).length;
    const here = found.path ? element("button", { type: "button", class: "chosen", onclick: () => use(found.path) }, `take this folder (${images}${found.more ? "+" : ""} files)`) : null;
    const up = found.above !== null ? element("button", { type: "button", onclick: () => look(found.above) }, "↑ up") : null;
    const more = found.path ? null : element("p", { class: "quiet" }, `${rows.length ? "Others" : "No folder is open for this page: some"} are opened by \`nusetd page --folder FOLDER\`, or folders = [...] in [page].`);
    list.replaceChildren(element("div", { class: "quiet" }, found.path || "folders that are open"), ...[up, here, ...rows, more].filter(Boolean));
  }

  function take(path) {
    input.value = path;
    look(path);
  }

  function use(path) {
    input.value = path;
    list.replaceChildren();
    changed(path);
  }

  const root = element("div", { class: "field" }, element("label", {}, label), element("div", { class: "row" }, input, open), hint ? element("small", {}, hint) : null, list);
  return { root, input, value: () => input.value.trim() };
}

function parent(path) {
  return path.trim();
}

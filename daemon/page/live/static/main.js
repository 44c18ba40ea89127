// Which view the address asks for, and hearing of changes.

import { element } from "/static/build.js";
import { overview } from "/static/overview.js";
import { acquisition } from "/static/acquisition.js";

const main = document.getElementById("main");
const live = document.getElementById("live");
let view = null;

function show() {
  const [path, asked] = (location.hash.slice(1) || "/").split("?");
  const found = path.match(/^\/a\/(\d+)$/);
  const name = found ? `a${found[1]}` : "overview";
  if (view && view.name === name) {
    view.go(new URLSearchParams(asked || ""));
    return;
  }
  if (view) view.end();
  main.replaceChildren(element("p", { class: "quiet" }, "loading"));
  document.getElementById("where").textContent = "";
  view = found ? acquisition(main, Number(found[1])) : overview(main);
  view.name = name;
  view.go(new URLSearchParams(asked || ""));
}

function listen() {
  const events = new EventSource("/api/events");
  events.addEventListener("open", () => {
    live.textContent = "live";
    live.className = "on";
  });
  events.addEventListener("error", () => {
    live.textContent = "not connected";
    live.className = "off";
  });
  let first = true;
  events.addEventListener("change", () => {
    if (!first && view) view.changed();
    first = false;
  });
}

addEventListener("hashchange", show);
show();
listen();

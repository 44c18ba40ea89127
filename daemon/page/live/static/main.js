// Which view the address asks for, and hearing of changes.

import { fault } from "/static/api.js";
import { element } from "/static/build.js";
import { overview } from "/static/overview.js";
import { acquisition } from "/static/acquisition.js";
import { comparison } from "/static/compare.js";
import { job } from "/static/job.js";
import { predict } from "/static/predict.js";
import { train } from "/static/train.js";

const main = document.getElementById("main");
const live = document.getElementById("live");
let view = null;

function show() {
  const [path, asked] = (location.hash.slice(1) || "/").split("?");
  const { name, make } = wanted(path);
  for (const link of document.querySelectorAll("nav a")) link.classList.toggle("here", link.hash === `#${path}`);
  if (view && view.name === name) {
    view.go(new URLSearchParams(asked || ""));
    return;
  }
  if (view) view.end();
  main.replaceChildren(element("p", { class: "quiet" }, "loading"));
  document.getElementById("where").textContent = "";
  view = make();
  view.name = name;
  view.go(new URLSearchParams(asked || ""));
}

function wanted(path) {
  const one = path.match(/^\/a\/(\d+)$/);
  if (one) return { name: path, make: () => acquisition(main, Number(one[1])) };
  const pair = path.match(/^\/compare\/(\d+)\/(\d+)$/);
  if (pair) return { name: path, make: () => comparison(main, [Number(pair[1]), Number(pair[2])]) };
  const work = path.match(/^\/job\/([\w-]+)$/);
  if (work) return { name: path, make: () => job(main, work[1]) };
  const others = { "/predict": predict, "/train": train };
  return { name: path, make: () => (others[path] || overview)(main) };
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
  let results = null;
  events.addEventListener("change", (event) => {
    if (results !== null && view) view.changed(event.data !== results);
    results = event.data;
  });
}

addEventListener("error", (event) => event.error && fault(event.error));
addEventListener("unhandledrejection", (event) => fault(event.reason));
addEventListener("hashchange", show);
show();
listen();

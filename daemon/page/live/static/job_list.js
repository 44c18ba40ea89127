// The jobs of a kind, the newest first; looked at again and again while one of them is at work.

import { ask, told } from "/static/api.js";
import { element } from "/static/build.js";

const LOOK_MS = 2000;

export function jobList(kind, nothing) {
  const root = element("div", { class: "joblist" });
  let timer = null;
  let ended = false;

  async function refresh() {
    clearTimeout(timer);
    const found = await told(ask("/api/jobs"));
    if (ended || !found) return;
    const jobs = found.jobs.filter((one) => one.kind === kind && one.state !== "draft");
    root.replaceChildren(...(jobs.length ? jobs.map(entry) : [element("p", { class: "quiet" }, nothing)]));
    clearTimeout(timer);
    if (jobs.some((one) => one.alive)) timer = setTimeout(refresh, LOOK_MS);
  }

  return {
    root,
    refresh,
    end: () => {
      ended = true;
      clearTimeout(timer);
    },
  };
}

function entry(job) {
  return element(
    "a",
    { class: "entry", href: `#/job/${job.id}`, "data-job": job.id },
    element("b", {}, job.title),
    badge(job),
    element("span", { class: "quiet" }, job.summary),
    element("span", { class: "quiet" }, job.created_at.slice(0, 16).replace("T", " ")),
  );
}

export function badge(job) {
  return element("span", { class: `badge ${job.state}`, title: job.meaning }, job.doing && job.state === "running" ? job.doing : job.state);
}

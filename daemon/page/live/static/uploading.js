// One file to the server, with how far it is.

import { Refused } from "/static/api.js";

export function upload(job, file, progress) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/uploads/${job}?${new URLSearchParams({ name: file.name })}`);
    request.setRequestHeader("X-Nusetd-Order", "1");
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.addEventListener("progress", (event) => event.total && progress(event.loaded / event.total));
    request.addEventListener("load", () => {
      if (request.status < 300) done();
      else failed(new Refused(sentence(request)));
    });
    request.addEventListener("error", () => failed(new Refused(`${file.name} could not be sent: it may be larger than what is taken, or the page's server has ended.`)));
    request.send(file);
  });
}

export function size(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function sentence(request) {
  try {
    return JSON.parse(request.responseText).error;
  } catch {
    return request.responseText || `The page's server answered ${request.status}.`;
  }
}

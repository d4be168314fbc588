// Keeps the phone fresh without a reload. Everything on the page works without this file too.
"use strict";

const PAUSE_MS = 1500;
const box = document.getElementById("thread-box");
const thread = document.getElementById("thread");
const list = document.getElementById("phone-list");
const seen = new Map(); // address of a fragment -> its version

document.documentElement.classList.add("scripted");

function parse(html) {
  return new DOMParser().parseFromString(html, "text/html").body;
}

async function changed(address) {
  const headers = seen.has(address) ? { "If-None-Match": seen.get(address) } : {};
  const answer = await fetch(address, { headers, cache: "no-store" });
  if (answer.status !== 200) return null;
  seen.set(address, answer.headers.get("ETag"));
  return answer.text();
}

// Whoever reads the newest text stays with it, also while pictures load; whoever scrolled back is left alone.
let atEnd = true;

function toEnd() {
  atEnd = true;
  box.scrollTop = box.scrollHeight;
}

// Only what differs is touched, so that pictures do not flicker and the focus stays where it is.
function showThread(html) {
  const fresh = parse(html);
  const items = thread.querySelector("ol");
  const news = [];
  const known = new Set();
  for (const item of fresh.querySelectorAll("ol > li")) {
    known.add(item.id);
    const old = document.getElementById(item.id);
    if (!old) {
      item.classList.add("arrives");
      items.append(item);
      if (!item.classList.contains("mine")) news.push(item.querySelector(".bubble").textContent);
    } else if (old.outerHTML.replace(" arrives", "") !== item.outerHTML) {
      if (old.querySelector("img, video")) {
        old.className = item.className;
        old.querySelector(".meta").replaceWith(item.querySelector(".meta"));
      } else {
        old.replaceWith(item);
      }
    }
  }
  for (const item of [...items.children]) if (!known.has(item.id)) item.remove();
  for (const name of [".more", ".quiet", ".stopped"]) {
    const [old, now] = [thread.querySelector(name), fresh.querySelector(name)];
    if (old && !now) old.remove();
    else if (!old && now) name === ".stopped" ? thread.append(now) : thread.prepend(now);
  }
  if (news.length) {
    document.getElementById("news").textContent = news.join(" ").replace(/\s+/g, " ").trim();
  }
  if (atEnd) toEnd();
}

async function refresh() {
  if (thread) {
    const html = await changed(thread.dataset.src);
    if (html !== null) showThread(html);
  }
  const html = await changed(list.dataset.src);
  if (html !== null && !list.contains(document.activeElement)) list.replaceChildren(...parse(html).children);
}

async function tryToRefresh() {
  try {
    await refresh();
  } catch {
    // The simulator may be restarting: the next turn will tell.
  }
}

async function poll() {
  if (!document.hidden) await tryToRefresh();
  setTimeout(poll, PAUSE_MS);
}

function showError(text) {
  const place = document.getElementById("error");
  place.textContent = text;
  place.hidden = !text;
}

async function send(form, submitter) {
  const data = new FormData(form, submitter);
  let answer;
  try {
    answer = await fetch(form.action, { method: "POST", body: data, headers: { "X-Fragment": "1" } });
  } catch {
    showError("The simulator does not answer. Is it still running?");
    return;
  }
  const text = await answer.text();
  if (!answer.ok) {
    showError(answer.status < 500 ? text : "The simulator failed.");
    return;
  }
  showError("");
  if (form.id === "compose") {
    const channel = document.getElementById("channel");
    const chosen = channel.value;
    form.reset();
    channel.value = chosen;
    showChosen();
  }
  showThread(text);
  toEnd();
  await tryToRefresh();
}

function showChosen() {
  const photos = document.getElementById("photos");
  const place = document.getElementById("chosen-photos");
  for (const image of place.querySelectorAll("img")) URL.revokeObjectURL(image.src);
  place.replaceChildren(
    ...[...photos.files].map((file) => {
      const item = document.createElement("li");
      if (file.type.startsWith("image/")) {
        const image = document.createElement("img");
        image.src = URL.createObjectURL(file);
        image.alt = file.name;
        item.append(image);
      } else {
        item.textContent = file.name;
      }
      return item;
    }),
  );
  place.hidden = photos.files.length === 0;
}

if (thread) {
  toEnd();
  box.addEventListener("scroll", () => {
    atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 80;
  });
  const sizes = new ResizeObserver(() => atEnd && toEnd());
  sizes.observe(box);
  sizes.observe(thread);
  const compose = document.getElementById("compose");
  for (const form of [compose, document.querySelector("form.quick")]) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send(form, event.submitter);
    });
  }
  document.getElementById("photos").addEventListener("change", showChosen);
  document.getElementById("body").addEventListener("keydown", (event) => {
    const plain = event.key === "Enter" && !event.shiftKey && !event.isComposing;
    if (plain && matchMedia("(hover: hover) and (pointer: fine)").matches) {
      event.preventDefault();
      compose.requestSubmit();
    }
  });
}
poll();

// Elements without markup in strings: text from models, users and servers becomes text nodes only.

export const $ = (id) => document.getElementById(id);

/** el("p", {class: "note", title: "…", onclick: f}, "text", child, …) */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Changes the page only where it differs: figures are set many times a second. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Calls `draw` once before the next frame; in a hidden tab, where there are none, a little later. */
export function oncePerFrame(draw) {
  let waits = false;
  const run = () => {
    waits = false;
    draw();
  };
  return () => {
    if (waits) return;
    waits = true;
    if (document.hidden) setTimeout(run, 200);
    else requestAnimationFrame(run);
  };
}

export const number = (value, digits = 0) =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** Three figures or so: "0.031", "2.41", "58.3", "612". */
export function figures(value) {
  const digits = value < 0.1 ? 3 : value < 10 ? 2 : value < 100 ? 1 : 0;
  return number(value, digits);
}

export const percent = (share) => `${figures(share * 100)} %`;

export function bytes(count) {
  if (count < 1e3) return `${count} B`;
  if (count < 1e6) return `${figures(count / 1e3)} kB`;
  return count < 1e9 ? `${figures(count / 1e6)} MB` : `${figures(count / 1e9)} GB`;
}

export function newId() {
  // randomUUID() is there for secure origins alone, and a server in the house has none.
  return Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => byte.toString(36).padStart(2, "0")).join("");
}

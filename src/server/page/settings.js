// The form of settings. What is empty is not sent, so that the server's defaults hold; what is wrong
// is, so that the server says what is.
import { $, setText } from "./dom.js";
import { read, write } from "./chats.js";

const STORED = "headway.settings";
const NUMBERS = [
  "temperature", "top_p", "top_k", "min_p", "repeat_penalty", "presence_penalty", "seed", "max_tokens",
];
const KEPT = [...NUMBERS, "system", "schema"];

const form = $("settings");
const field = (name) => form.elements.namedItem(name);

function schema() {
  const text = field("schema").value.trim();
  return text === "" ? null : JSON.parse(text);
}

function showSchema() {
  let state = "";
  try {
    if (schema() !== null) state = "every answer follows it";
  } catch {
    state = "not JSON yet";
  }
  setText($("schema-state"), state);
  field("schema").setAttribute("aria-invalid", String(state === "not JSON yet"));
}

function fill() {
  const values = read(STORED, {});
  for (const name of KEPT) field(name).value = typeof values[name] === "string" ? values[name] : "";
  showSchema();
}

/** `onKey`: the key has changed. */
export function start(onKey) {
  fill();
  try {
    field("key").value = sessionStorage.getItem("headway.key") ?? "";
  } catch {
    // Storage is forbidden.
  }
  form.addEventListener("input", () => {
    write(STORED, Object.fromEntries(KEPT.map((name) => [name, field(name).value])));
    showSchema();
  });
  field("key").addEventListener("change", () => {
    try {
      sessionStorage.setItem("headway.key", field("key").value);
    } catch {
      // Then it holds until the page is left.
    }
    onKey();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  $("reset").addEventListener("click", () => {
    write(STORED, {});
    fill();
  });
  addEventListener("storage", (event) => {
    if (event.key === STORED) fill();
  });
}

export const apiKey = () => field("key").value.trim();

/** The first field that cannot be sent; null: none. */
export function wrongField() {
  const wrong = NUMBERS.map(field).find((input) => input.validity.badInput);
  if (wrong) return wrong;
  try {
    schema();
    return null;
  } catch {
    return field("schema");
  }
}

/** What the settings add to a request. */
export function requestFields() {
  const fields = {};
  for (const name of NUMBERS) {
    if (field(name).value !== "") fields[name] = Number(field(name).value);
  }
  const wanted = schema();
  if (wanted !== null) {
    fields.response_format = { type: "json_schema", json_schema: { name: "answer", strict: true, schema: wanted } };
  }
  return fields;
}

export const systemMessage = () => field("system").value.trim();

// Conversations, in localStorage, which all tabs share. Another tab may write at any time, and what it
// wrote comes late: so every message has a key of its own, which only the tab that makes the message
// writes, and every conversation one for its title. Nothing is written that was not changed here.

const PREFIX = "headway.chat.";
const chatKey = (id) => PREFIX + id;
const messageKey = (id, messageId) => `${chatKey(id)}/${messageId}`;
const forbidden = new Map(); // instead of a storage that the browser forbids

function get(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return forbidden.get(name) ?? null;
  }
}

function set(name, value) {
  try {
    localStorage.setItem(name, value);
    return true;
  } catch (error) {
    if (error.name === "QuotaExceededError") return false;
    forbidden.set(name, value);
    return true;
  }
}

function drop(name) {
  forbidden.delete(name);
  try {
    localStorage.removeItem(name);
  } catch {
    // Nothing was there.
  }
}

/** What `name` holds; `otherwise` where that is nothing, or nothing of ours. */
export function read(name, otherwise) {
  try {
    return JSON.parse(get(name)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export const write = (name, value) => set(name, JSON.stringify(value));

function keys() {
  try {
    return Object.keys(localStorage);
  } catch {
    return [...forbidden.keys()];
  }
}

/** [{id, title, at}], the last used one first. */
export function list() {
  const own = keys().filter((name) => name.startsWith(PREFIX) && !name.includes("/"));
  return own.map((name) => ({ ...read(name, {}), id: name.slice(PREFIX.length) })).sort((a, b) => (b.at ?? 0) - (a.at ?? 0));
}

/** {id, messages: [{id, role, text, state, order, …}]}; an empty one where there is none. */
export function load(id) {
  const found = keys().filter((name) => name.startsWith(`${chatKey(id)}/`)).map((name) => read(name, null));
  const messages = found.filter((message) => message && typeof message.id === "string");
  return { id, messages: messages.sort((a, b) => a.order - b.order) };
}

function titleOf(chat) {
  const first = chat.messages.find((message) => message.role === "user");
  const line = (first?.text ?? "").trim().split("\n", 1)[0];
  return line.length > 80 ? `${line.slice(0, 80)}…` : line || "Untitled";
}

// Figures of tokens are the first to go when the browser gives no more room, oldest chats first.
function makeRoom(except) {
  for (const { id } of list().reverse()) {
    if (id === except) continue;
    const heavy = load(id).messages.filter((message) => message.tokens);
    for (const { tokens, ...light } of heavy) write(messageKey(id, light.id), light);
    if (heavy.length > 0) return true;
  }
  return false;
}

function writeMessage(id, message) {
  const name = messageKey(id, message.id);
  let good = write(name, message);
  while (!good && makeRoom(id)) good = write(name, message);
  const { tokens, ...light } = message;
  return good || write(name, light);
}

/** Reads the chat, lets `change` change it, and writes what is new. False: there is no room for it. */
export function update(id, change) {
  const chat = load(id);
  const before = new Map(chat.messages.map((message) => [message.id, JSON.stringify(message)]));
  change(chat);
  let last = 0;
  let good = true;
  for (const message of chat.messages) {
    message.order ??= Math.max(last + 1, Date.now());
    last = message.order;
    if (before.get(message.id) !== JSON.stringify(message)) good = writeMessage(id, message) && good;
    before.delete(message.id);
  }
  for (const gone of before.keys()) drop(messageKey(id, gone));
  return write(chatKey(id), { title: titleOf(chat), at: Date.now() }) && good;
}

/** Changes one message, if it is still there: true. */
export function updateMessage(id, messageId, change) {
  if (!load(id).messages.some((message) => message.id === messageId)) return false;
  return update(id, (chat) => change(chat.messages.find((message) => message.id === messageId)));
}

export function remove(id) {
  for (const { id: messageId } of load(id).messages) drop(messageKey(id, messageId));
  drop(chatKey(id));
}

/** Calls back when another tab changed the messages of a chat (its id), or the list of them (null). */
export function onChange(call) {
  addEventListener("storage", ({ key }) => {
    if (key !== null && !key.startsWith(PREFIX)) return;
    const [id, message] = key === null ? [] : key.slice(PREFIX.length).split("/");
    call(message === undefined ? null : id);
  });
}

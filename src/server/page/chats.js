// Conversations, in localStorage, which all tabs share: it is the truth, and a tab changes it only by
// reading, changing and writing a conversation at once. So two tabs may write into the same one.

const INDEX = "headway.chats";
const key = (id) => `headway.chat.${id}`;
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

/** [{id, title, at}], the last used one first. */
export function list() {
  const found = read(INDEX, []);
  return Array.isArray(found) ? found.filter((chat) => chat && typeof chat.id === "string") : [];
}

/** {id, messages: [{id, role, text, state, …}]}; an empty one where there is none. */
export function load(id) {
  const chat = read(key(id), null);
  return chat && Array.isArray(chat.messages) ? { id, messages: chat.messages } : { id, messages: [] };
}

function titleOf(chat) {
  const first = chat.messages.find((message) => message.role === "user");
  const line = (first?.text ?? "").trim().split("\n", 1)[0];
  return line.length > 80 ? `${line.slice(0, 80)}…` : line || "Untitled";
}

// Figures of tokens are the first to go when the browser gives no more room, oldest chats first.
function makeRoom(except) {
  for (const { id } of list().reverse()) {
    const chat = load(id);
    if (id === except || !chat.messages.some((message) => message.tokens)) continue;
    for (const message of chat.messages) delete message.tokens;
    if (set(key(id), JSON.stringify(chat))) return true;
  }
  return false;
}

/** Reads the chat, lets `change` change it, and writes it. False: there is no room for it. */
export function update(id, change) {
  const chat = load(id);
  change(chat);
  const text = JSON.stringify(chat);
  let good = set(key(id), text);
  while (!good && makeRoom(id)) good = set(key(id), text);
  if (!good) {
    for (const message of chat.messages) delete message.tokens;
    good = set(key(id), JSON.stringify(chat));
  }
  const rest = list().filter((other) => other.id !== id);
  write(INDEX, [{ id, title: titleOf(chat), at: Date.now() }, ...rest]);
  return good;
}

/** Changes one message, if it is still there: true. */
export function updateMessage(id, messageId, change) {
  if (!load(id).messages.some((message) => message.id === messageId)) return false;
  return update(id, (chat) => change(chat.messages.find((message) => message.id === messageId)));
}

export function remove(id) {
  drop(key(id));
  write(INDEX, list().filter((chat) => chat.id !== id));
}

/** Calls back when another tab changed a chat (its id), or the list of them (null). */
export function onChange(call) {
  addEventListener("storage", (event) => {
    if (event.key === INDEX || event.key === null) call(null);
    if (event.key?.startsWith(key(""))) call(event.key.slice(key("").length));
  });
}

// The page: which conversation is shown, and how answers come into it.
import * as chats from "./chats.js";
import { $, el, newId, number, oncePerFrame, setText } from "./dom.js";
import { Rate, showAnswer, watchServer } from "./live.js";
import { MessageView } from "./message_view.js";
import * as server from "./server.js";
import * as settings from "./settings.js";
import { record } from "./token_strip.js";

const SAVE_MS = 500;
// An answer that nobody wrote into for so long has lost the tab that did.
const LOST_MS = 60_000;
const STARTERS = ["Tell me a story about a fox.", "Explain how a hash map works.", "Write a haiku about rain."];

const input = $("input");
const scroller = $("scroll");
const views = new Map(); // of the chat that is shown, by message
const running = new Map(); // answers that this tab receives: message -> {chatId, message, abort, rate}
let chatId = "";
let numSlots = 0;
let leaving = false;

// --- the conversation that is shown ---

function stored(message) {
  const lost = message.state === "streaming" && Date.now() - (message.beat ?? 0) > LOST_MS;
  return running.get(message.id)?.message ?? (lost ? { ...message, state: "stopped" } : message);
}

const current = () => chats.load(chatId).messages.map(stored);
const runningHere = () => [...running.values()].filter((one) => one.chatId === chatId);

const isAtEnd = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 80;
const toEnd = () => (scroller.scrollTop = scroller.scrollHeight);

function showMessages() {
  const follow = isAtEnd();
  const messages = current();
  const list = $("messages");
  for (const [id, view] of views) {
    if (messages.some((message) => message.id === id)) continue;
    view.root.remove();
    views.delete(id);
  }
  messages.forEach((message, i) => {
    let view = views.get(message.id);
    if (!view) views.set(message.id, (view = new MessageView(message, { edit, retry })));
    if (list.children[i] !== view.root) list.insertBefore(view.root, list.children[i] ?? null);
    view.update(message);
  });
  $("welcome").hidden = messages.length > 0;
  showRunning(messages);
  if (follow) toEnd();
}

function showRunning(messages) {
  const here = runningHere();
  $("stop").hidden = here.length === 0;
  $("send").hidden = here.length > 0;
  const last = here.at(-1);
  showAnswer(last?.message ?? messages.findLast((message) => message.tokens?.length > 0) ?? null, last?.rate);
}

function showList() {
  $("chat-list").replaceChildren(...chats.list().map((chat) => el("li", chat.id === chatId ? { class: "current" } : {},
    el("button", { type: "button", class: "open", onclick: () => openChat(chat.id) }, String(chat.title)),
    el("button", { type: "button", class: "drop", "aria-label": `Delete ${chat.title}`, onclick: () => dropChat(chat.id) }, "×"))));
}

function openChat(id) {
  chatId = id;
  try {
    sessionStorage.setItem("headway.chat", id);
  } catch {
    // Then a reload opens a new one.
  }
  for (const view of views.values()) view.root.remove();
  views.clear();
  showList();
  showMessages();
  toEnd();
  closeSides();
  input.focus({ preventScroll: true });
}

function dropChat(id) {
  for (const one of running.values()) if (one.chatId === id) one.abort.abort();
  chats.remove(id);
  if (id === chatId) openChat(newId());
  else showList();
}

// --- answers ---

function requestOf(messages) {
  const told = [];
  const system = settings.systemMessage();
  if (system) told.push({ role: "system", content: system });
  for (const { role, text } of messages) {
    if (text === "") continue;
    // Between two questions an answer is missing, which many templates would not take.
    if (role === "user" && told.at(-1)?.role === "user") told.at(-1).content += `\n\n${text}`;
    else told.push({ role, content: text });
  }
  return {
    messages: told, stream: true, stream_options: { include_usage: true }, headway: { per_token: true },
    ...settings.requestFields(),
  };
}

function take(chunk, one) {
  const { message, rate } = one;
  const choice = chunk.choices[0];
  if (!choice) return;
  message.text += choice.delta.content ?? "";
  const tokens = choice.headway?.tokens ?? [];
  if (tokens.length > 0) rate.add(tokens.length);
  for (const token of tokens) message.tokens.push(record(token));
  const timings = chunk.timings;
  if (!timings) return;
  message.stats = {
    finish: choice.finish_reason, perSecond: timings.predicted_per_second, prompt: timings.prompt_n + timings.cache_n,
    cached: timings.cache_n, promptMs: timings.prompt_ms, queuedMs: timings.queued_ms,
  };
}

function save(one) {
  one.message.beat = Date.now();
  one.saved = performance.now();
  return chats.updateMessage(one.chatId, one.message.id, (message) => Object.assign(message, one.message));
}

/** Whether the settings can be sent; else shows the one that cannot. */
function settingsAreGood() {
  const wrong = settings.wrongField();
  if (!wrong) return true;
  openSide($("panel"), $("open-panel"));
  wrong.focus();
  return false;
}

/** Asks for the answer to what the chat holds, and receives it. */
async function answer() {
  const request = requestOf(current());
  const message = { id: newId(), role: "assistant", text: "", state: "streaming", tokens: [], beat: Date.now() };
  const one = { chatId, message, abort: new AbortController(), rate: new Rate(), saved: performance.now() };
  if (!chats.update(chatId, (chat) => chat.messages.push({ ...message }))) return say("This browser has no room left.");
  running.set(message.id, one);
  showList();
  showMessages();
  toEnd();
  lookAtServer();
  const show = oncePerFrame(() => {
    if (one.chatId !== chatId || !running.has(message.id)) return;
    const follow = isAtEnd();
    views.get(message.id)?.update(message);
    showRunning([]);
    if (follow) toEnd();
  });
  try {
    for await (const chunk of server.chat(request, settings.apiKey(), one.abort.signal)) {
      take(chunk, one);
      show();
      // Another tab took the message away: nobody wants the rest.
      if (performance.now() - one.saved > SAVE_MS && !save(one)) one.abort.abort();
    }
    message.state = "done";
  } catch (error) {
    end(message, error);
  }
  running.delete(message.id);
  if (!save(one) && chats.load(one.chatId).messages.some(({ id }) => id === message.id)) say("This browser has no room left.");
  if (one.chatId === chatId) showMessages();
  say(message.error ?? (message.state === "stopped" ? "Stopped" : "The answer is complete"), true);
  lookAtServer();
}

function end(message, error) {
  if (error.name === "AbortError" || leaving) {
    message.state = "stopped";
    return;
  }
  message.state = "failed";
  message.error = error.message;
  if (error.retryAfter) message.error += ` Try again in ${error.retryAfter} s.`;
  if (!(error instanceof server.ServerError)) reportError(error); // our own mistake
  if (error.status === 401) openSide($("panel"), $("open-panel"));
}

function send() {
  const text = input.value.trim();
  if (text === "" || runningHere().length > 0 || !settingsAreGood()) return;
  if (!chats.update(chatId, (chat) => chat.messages.push({ id: newId(), role: "user", text, state: "done" })))
    return say("This browser has no room left.");
  input.value = "";
  grow();
  answer();
}

function stop() {
  for (const one of runningHere()) one.abort.abort();
}

function cutFrom(id) {
  stop();
  let cut = [];
  chats.update(chatId, (chat) => {
    const at = chat.messages.findIndex((message) => message.id === id);
    if (at >= 0) cut = chat.messages.splice(at);
  });
  return cut;
}

function retry(id) {
  if (!settingsAreGood()) return;
  cutFrom(id);
  answer();
}

function edit(id) {
  const [message] = cutFrom(id);
  if (message) input.value = message.text;
  showMessages();
  grow();
  input.focus();
}

// --- the rest of the page ---

// For those who listen to the page; `quiet`: what others see anyway.
function say(text, quiet = false) {
  setText($("announce"), text);
  $("now-line").classList.toggle("told", !quiet);
  if (!quiet) setText($("now-line"), text);
}

function grow() {
  input.style.height = "auto";
  input.style.height = `${Math.min(input.scrollHeight, innerHeight * 0.4)}px`;
}

function openSide(side, button) {
  side.classList.add("open");
  button.setAttribute("aria-expanded", "true");
  $("shade").hidden = getComputedStyle(side).position !== "fixed"; // on wide screens it is there anyway
}

function closeSides() {
  for (const [side, button] of [["chats", "open-chats"], ["panel", "open-panel"]]) {
    $(side).classList.remove("open");
    $(button).setAttribute("aria-expanded", "false");
  }
  const wasOpen = !$("shade").hidden;
  $("shade").hidden = true;
  return wasOpen;
}

async function showModel() {
  try {
    const props = await server.props(settings.apiKey());
    numSlots = props.total_slots;
    setText($("model-name"), props.model_alias);
    setText($("welcome-name"), props.model_alias);
    const context = number(props.default_generation_settings.n_ctx);
    const threads = `${props.threads} ${props.threads === 1 ? "thread" : "threads"}`;
    setText($("model-facts"), `${props.head} head · ${props.instruction_set} · ${threads} · ${context} tokens of context`);
  } catch (error) {
    setText($("model-name"), "Headway");
    setText($("model-facts"), error.message);
    setText($("welcome-name"), "Headway");
    if (error.status === 401) openSide($("panel"), $("open-panel"));
  }
  lookAtServer();
}

function startTheme() {
  const theme = document.documentElement.dataset.theme;
  for (const radio of document.querySelectorAll("input[name=theme]")) {
    radio.checked = radio.value === theme;
    radio.addEventListener("change", () => {
      document.documentElement.dataset.theme = radio.value;
      try {
        localStorage.setItem("headway.theme", radio.value);
      } catch {
        // Then it holds until the page is left.
      }
    });
  }
}

input.addEventListener("input", grow);
input.addEventListener("keydown", (event) => {
  // Enter that ends an input method's word sends nothing.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !closeSides()) stop();
});
$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
$("stop").addEventListener("click", stop);
$("new-chat").addEventListener("click", () => openChat(newId()));
$("open-chats").addEventListener("click", () => openSide($("chats"), $("open-chats")));
$("open-panel").addEventListener("click", () => openSide($("panel"), $("open-panel")));
$("shade").addEventListener("click", closeSides);
$("starters").append(...STARTERS.map((text) => el("button", {
  type: "button", onclick: () => {
    input.value = text;
    send();
  },
}, text)));
// A browser that leaves cuts connections first, which looks like a server that broke off.
addEventListener("beforeunload", () => {
  leaving = true;
  setTimeout(() => (leaving = false), 1000); // if it stays after all
});
// What came so far stays when the page is left in the middle of an answer.
addEventListener("pagehide", () => {
  for (const one of running.values()) {
    one.message.state = "stopped";
    save(one);
  }
});
chats.onChange((id) => {
  if (id === null) showList();
  else if (id === chatId) showMessages();
});

settings.start(showModel);
startTheme();
const lookAtServer = watchServer(settings.apiKey, () => numSlots, () => running.size > 0);
let last = null;
try {
  last = sessionStorage.getItem("headway.chat");
} catch {
  // Storage is forbidden.
}
openChat(last ?? newId());
showModel();

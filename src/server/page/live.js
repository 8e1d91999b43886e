// The figures beside the chat: of the answer that is written now, or was last, and of the server.
import { $, el, figures, number, percent, setText } from "./dom.js";
import { metrics } from "./server.js";
import { CHOOSERS, Tally } from "./token_strip.js";

const WINDOW_MS = 1500; // over which tokens a second are counted while an answer is written
const MOST_DOTS = 64;

/** Tokens a second of the last moments. */
export class Rate {
  arrivals = [];

  add(count) {
    this.arrivals.push([performance.now(), count]);
  }

  perSecond() {
    const now = performance.now();
    while (this.arrivals.length > 2 && now - this.arrivals[0][0] > WINDOW_MS) this.arrivals.shift();
    const seconds = (now - (this.arrivals[0]?.[0] ?? now)) / 1000;
    if (seconds < 0.05) return null;
    // What came first opened the window and took no part of it.
    return this.arrivals.slice(1).reduce((sum, [, count]) => sum + count, 0) / seconds;
  }
}

/** Shows an answer's figures; `message` null: there is none yet. */
export function showAnswer(message, rate) {
  const tally = new Tally();
  for (const one of message?.tokens ?? []) tally.add(one);
  const perSecond = message?.state === "streaming" ? rate?.perSecond() : message?.stats?.perSecond;
  setText($("rate"), perSecond ? figures(perSecond) : "–");
  $("rate").classList.toggle("none", !perSecond);
  const timed = tally.timed > 0;
  const layers = timed ? tally.layersMs / tally.timed : 0;
  const head = timed ? tally.headMs / tally.timed : 0;
  // Per mille: parts that add up to less than 1 would leave a rest.
  const part = timed ? Math.round((1000 * head) / (head + layers || 1)) : 0;
  setText($("layers-ms"), timed ? `${figures(layers)} ms` : "–");
  setText($("head-ms"), timed ? `${figures(head)} ms` : "–");
  setText($("head-part"), timed ? percent(part / 1000) : "");
  $("bar-layers").style.flexGrow = String(1000 - part);
  $("bar-head").style.flexGrow = String(part);
  const share = tally.meanShare();
  setText($("share"), share === null ? "–" : percent(share));
  CHOOSERS.forEach((name, i) => setText($(`n-${name}`), number(tally.counts[i])));
  setText($("n-drafted"), number(tally.drafted));
  const line = [];
  if (perSecond) line.push(`${figures(perSecond)} tokens/s`);
  if (timed) line.push(`layers ${figures(layers)} ms`, `head ${figures(head)} ms`);
  setText($("now-line"), line.join(" · "));
}

function showServer(values, numSlots) {
  const running = values["llamacpp:requests_processing"] ?? 0;
  const waiting = values["llamacpp:requests_deferred"] ?? 0;
  setText($("running"), numSlots ? `${number(running)} of ${number(numSlots)}` : number(running));
  setText($("waiting"), number(waiting));
  setText($("memory"), percent(values["llamacpp:kv_cache_usage_ratio"] ?? 0));
  const dots = $("slots");
  const count = Math.min(numSlots, MOST_DOTS);
  while (dots.children.length < count) dots.append(el("i"));
  while (dots.children.length > count) dots.lastElementChild.remove();
  [...dots.children].forEach((dot, i) => dot.classList.toggle("busy", i < running));
  dots.setAttribute("aria-label", `${running} of ${numSlots} places busy, ${waiting} waiting`);
}

/** Asks the server what it does, often while `isBusy()`; never from a tab that nobody sees. */
export function watchServer(getKey, getSlots, isBusy) {
  let timer = 0;
  const look = async () => {
    clearTimeout(timer);
    if (document.hidden) return;
    let pause = isBusy() ? 500 : 3000;
    try {
      showServer(await metrics(getKey()), getSlots());
    } catch {
      for (const id of ["running", "waiting", "memory"]) setText($(id), "–");
      pause = 5000;
    }
    clearTimeout(timer);
    timer = setTimeout(look, pause);
  };
  document.addEventListener("visibilitychange", look);
  look();
  return look;
}

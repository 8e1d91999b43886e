// One message on the page.
import { el, figures, number, percent, setText } from "./dom.js";
import { copyText, draw } from "./markdown.js";
import { Tally, TokenStrip } from "./token_strip.js";

function summaryOf(message, tally) {
  const { stats } = message;
  const parts = [];
  if (message.state === "stopped") parts.push("Stopped");
  if (stats?.finish === "length") parts.push("Cut off at the most tokens");
  if (tally.tokens > 0) parts.push(`${number(tally.tokens)} ${tally.tokens === 1 ? "token" : "tokens"}`);
  if (stats?.perSecond) parts.push(`${figures(stats.perSecond)} tokens/s`);
  const share = tally.meanShare();
  if (share !== null) parts.push(`${percent(share)} of the head read`);
  if (stats) {
    const cached = stats.cached > 0 ? ` (${number(stats.cached)} cached)` : "";
    parts.push(`prompt ${number(stats.prompt)}${cached}, ${figures(stats.promptMs)} ms`);
    if (stats.queuedMs >= 1) parts.push(`waited ${figures(stats.queuedMs)} ms`);
  }
  return parts.join(" · ");
}

export class MessageView {
  /** `actions`: {edit(id), retry(id)}. */
  constructor(message, actions) {
    this.id = message.id;
    this.body = el("div", { class: "body" });
    this.root = el("li", { class: `message ${message.role}`, "data-id": message.id }, this.body);
    const action = (name, run) => el("button", { type: "button", class: "link", onclick: run }, name);
    if (message.role === "user") {
      this.root.append(el("div", { class: "foot" }, el("span", { class: "actions" },
        action("Edit", () => actions.edit(this.id)))));
      return;
    }
    this.tally = new Tally();
    this.strip = new TokenStrip();
    this.error = el("p", { class: "error", role: "alert", hidden: true });
    this.summary = el("span", { class: "summary numbers" });
    this.copy = action("Copy", () => copyText(this.text, this.copy));
    this.actions = el("span", { class: "actions" }, this.copy, action("Retry", () => actions.retry(this.id)));
    this.root.append(this.error, this.strip.bars,
      el("div", { class: "foot" }, this.strip.readout, this.summary, this.actions));
  }

  update(message) {
    if (message.role === "user") return setText(this.body, message.text);
    this.text = message.text;
    const streams = message.state === "streaming";
    this.root.classList.toggle("streaming", streams);
    this.root.classList.toggle("waiting", streams && message.text === "");
    this.root.setAttribute("aria-busy", String(streams));
    draw(message.text, this.body);
    const tokens = message.tokens ?? [];
    if (tokens.length < this.tally.tokens) this.tally = new Tally(); // they were given up for room
    for (const one of tokens.slice(this.tally.tokens)) this.tally.add(one);
    this.strip.show(tokens);
    this.strip.bars.hidden = tokens.length === 0;
    this.error.hidden = !message.error;
    setText(this.error, message.error ?? "");
    setText(this.summary, streams ? "" : summaryOf(message, this.tally));
    this.actions.hidden = streams;
    this.copy.hidden = message.text === "";
  }
}

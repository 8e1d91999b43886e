// A bar for each token: as tall as the part of the head that was read for it, coloured by who chose
// it, with a dot where it had been guessed ahead.
import { bytes, el, figures, number, percent, setText } from "./dom.js";

export const CHOOSERS = ["full", "certified", "fallback", "forced", "narrowed"];
const WORDS = ["the whole head", "certified", "fell back to the whole head", "forced by the grammar", "few rows for the grammar"];

/** What is kept of a token, as an array because there are thousands. */
export function record(token) {
  const rounded = (value, digits) => (value === null ? null : Number(value.toFixed(digits)));
  return [
    token.token, CHOOSERS.indexOf(token.chosen_by), rounded(token.head_share, 4), token.drafted ? 1 : 0,
    token.head_bytes, token.rows_exact, rounded(token.layers_ms, 4), rounded(token.head_ms, 4), token.id,
  ];
}

/** Sums over an answer's tokens. */
export class Tally {
  counts = CHOOSERS.map(() => 0);
  drafted = 0;
  tokens = 0;
  share = 0; // sum, over those that a head chose
  withShare = 0;
  layersMs = 0;
  headMs = 0;
  timed = 0;

  add([, chooser, share, drafted, , , layersMs, headMs]) {
    this.tokens += 1;
    this.counts[chooser] += 1;
    this.drafted += drafted;
    if (share !== null && chooser !== 3) {
      this.share += share;
      this.withShare += 1;
    }
    if (layersMs === null) return;
    this.layersMs += layersMs;
    this.headMs += headMs;
    this.timed += 1;
  }

  meanShare() {
    return this.withShare === 0 ? null : this.share / this.withShare;
  }
}

function visible(text) {
  return text.replaceAll("\n", "↵").replaceAll("\t", "⇥").replaceAll(" ", "␣");
}

function factsOf([, chooser, share, drafted, headBytes, rows, layersMs, headMs, id]) {
  const facts = [`id ${id}`, WORDS[chooser]];
  if (chooser !== 3 && share !== null) facts.push(`read ${bytes(headBytes)}, ${percent(share)}`);
  if (chooser === 1) facts.push(`${number(rows)} exact ${rows === 1 ? "row" : "rows"}`);
  if (drafted) facts.push("drafted");
  if (headMs !== null) facts.push(`head ${figures(headMs)}, layers ${figures(layersMs)} ms`);
  return facts.join(" · ");
}

export class TokenStrip {
  constructor() {
    this.records = [];
    this.selected = -1;
    this.bars = el("div", {
      class: "strip", tabindex: "0", role: "slider", "aria-label": "Tokens, by what the head read",
      "aria-valuemin": "0", "aria-valuemax": "0", "aria-valuenow": "0",
    });
    this.token = el("code", {});
    this.facts = el("span", {});
    this.readout = el("p", { class: "readout numbers", hidden: true }, this.token, this.facts);
    const at = (event) => this.select([...this.bars.children].indexOf(event.target.closest("i")));
    this.bars.addEventListener("pointermove", at);
    this.bars.addEventListener("pointerdown", at);
    this.bars.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse") this.select(-1);
    });
    this.bars.addEventListener("blur", () => this.select(-1));
    this.bars.addEventListener("keydown", (event) => this.move(event));
  }

  /** Draws those of `records` that are new. */
  show(records) {
    if (records.length < this.records.length) {
      this.records = [];
      this.bars.replaceChildren();
    }
    const from = this.records.length;
    if (from === records.length) return;
    const fresh = document.createDocumentFragment();
    for (const one of records.slice(from)) {
      const [, chooser, share, drafted] = one;
      const bar = el("i", { class: CHOOSERS[chooser] + (drafted ? " drafted" : "") });
      // What is not known, in a prompt's step, is all of a whole head, and a stub of others.
      bar.style.setProperty("--share", chooser === 3 ? 0 : Math.min(share ?? (chooser === 0 ? 1 : 0), 1));
      fresh.append(bar);
    }
    this.bars.append(fresh);
    this.records = records.slice();
    this.bars.setAttribute("aria-valuemax", String(records.length - 1));
  }

  move(event) {
    const last = this.records.length - 1;
    const steps = { ArrowRight: this.selected + 1, ArrowLeft: this.selected - 1, Home: 0, End: last };
    if (!(event.key in steps)) return;
    event.preventDefault();
    this.select(Math.max(0, Math.min(steps[event.key], last)));
  }

  select(index) {
    if (index === this.selected) return;
    this.bars.children[this.selected]?.classList.remove("selected");
    this.selected = index;
    const one = this.records[index];
    this.readout.hidden = !one;
    if (!one) return;
    this.bars.children[index].classList.add("selected");
    setText(this.token, visible(one[0]));
    setText(this.facts, factsOf(one));
    this.bars.setAttribute("aria-valuenow", String(index));
    this.bars.setAttribute("aria-valuetext", `${one[0]}: ${factsOf(one)}`);
  }
}

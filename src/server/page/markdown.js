// The little Markdown that chats need: fenced code, headings, `code`, **bold**. All else stays as it
// was written, line breaks too. Makes elements and text nodes, never markup.
import { el } from "./dom.js";

/** [{kind: "code" | "text", language, text}]; a fence that is still open goes to the end. */
export function blocksOf(text) {
  const blocks = [];
  let open = null;
  let lines = [];
  const flush = () => {
    const joined = lines.join("\n").replace(/^\n+|\n+$/g, "");
    if (joined !== "") blocks.push({ kind: "text", language: "", text: joined });
    lines = [];
  };
  for (const line of text.split("\n")) {
    const fence = /^ {0,3}(`{3,}|~{3,})\s*([\w+#.-]*)\s*$/.exec(line);
    if (open) {
      const closes = fence && fence[2] === "" && fence[1][0] === open.mark[0] && fence[1].length >= open.mark.length;
      if (closes) {
        blocks.push({ kind: "code", language: open.language, text: lines.join("\n") });
        lines = [];
        open = null;
      } else {
        lines.push(line);
      }
    } else if (fence) {
      flush();
      open = { mark: fence[1], language: fence[2] };
    } else if (line.trim() === "" || /^#{1,4} /.test(line)) {
      // A paragraph a block, so that a growing answer changes its last one alone.
      flush();
      if (line.trim() !== "") lines.push(line);
      if (line.startsWith("#")) flush();
    } else {
      lines.push(line);
    }
  }
  if (open) blocks.push({ kind: "code", language: open.language, text: lines.join("\n") });
  else flush();
  return blocks;
}

function inline(text) {
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(/(`+)(.+?)\1|\*\*(?=\S)(.+?)\*\*/g)) {
    parts.push(text.slice(from, match.index));
    parts.push(match[2] !== undefined ? el("code", {}, match[2]) : el("strong", {}, match[3]));
    from = match.index + match[0].length;
  }
  return [...parts, text.slice(from)];
}

function elementOf(block) {
  if (block.kind === "text") {
    const heading = /^#{1,4} (.*)$/.exec(block.text);
    return heading ? el("h3", {}, ...inline(heading[1])) : el("p", {}, ...inline(block.text));
  }
  const copy = el("button", { type: "button", class: "link copy", onclick: () => copyText(block.text, copy) }, "Copy");
  return el("div", { class: "fence" }, el("div", { class: "fence-head" }, el("span", {}, block.language), copy),
    el("pre", { tabindex: "0" }, el("code", {}, block.text)));
}

export async function copyText(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed";
  }
  setTimeout(() => (button.textContent = "Copy"), 1200);
}

/** Draws `text` into `parent`, keeping the blocks that did not change since the last time. */
export function draw(text, parent) {
  const blocks = blocksOf(text);
  const before = parent.drawnBlocks ?? [];
  const same = (a, b) => a && a.kind === b.kind && a.language === b.language && a.text === b.text;
  blocks.forEach((block, i) => {
    if (same(before[i], block)) return;
    const element = elementOf(block);
    if (parent.children[i]) parent.children[i].replaceWith(element);
    else parent.append(element);
  });
  while (parent.children.length > blocks.length) parent.lastElementChild.remove();
  parent.drawnBlocks = blocks;
}

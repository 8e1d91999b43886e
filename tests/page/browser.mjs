// A browser and a server for the page's tests: Debian's Chromium by playwright-core, which
// `./dev nightly` installs into build/page, and a real `headway serve`.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request as httpRequest } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const root = resolve(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "../..");
const { chromium } = createRequire(join(root, "build/page/"))("playwright-core");

export const HEADWAY = process.env.HEADWAY ?? join(root, "build/release/headway");
export const MODEL = process.env.MODEL ?? join(root, "models/story-12m.gguf");
export const TIMEOUT = 120_000; // for anything: machines that run many tests are slow

const cache = mkdtempSync(join(tmpdir(), "headway-page-"));
process.on("exit", () => rmSync(cache, { recursive: true, force: true }));

/** {url, stop()} of a server on a free port. */
export async function startServer(...flags) {
  const process_ = spawn(HEADWAY, ["serve", MODEL, "--port", "0", "--threads", "1", ...flags], {
    env: { ...process.env, HEADWAY_CACHE: cache }, stdio: ["ignore", "pipe", "inherit"],
  });
  const url = await new Promise((found, failed) => {
    let text = "";
    process_.stdout.on("data", (data) => {
      text += data;
      const match = /http:\/\/[\w.:]+/.exec(text);
      if (match) found(match[0]);
    });
    process_.on("exit", (status) => failed(new Error(`headway serve ended with status ${status}: ${text}`)));
  });
  const ended = new Promise((done) => process_.on("exit", done));
  return {
    url,
    stop: async () => {
      process_.kill("SIGTERM");
      return ended;
    },
  };
}

export function startBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--font-render-hinting=none"],
  });
}

/** A page whose every mistake (console errors, refused resources, exceptions) lands in page.mistakes. */
export async function openPage(context, url) {
  const page = await context.newPage();
  page.setDefaultTimeout(TIMEOUT);
  page.mistakes = [];
  page.on("console", (message) => message.type() === "error" && page.mistakes.push(message.text()));
  page.on("pageerror", (error) => page.mistakes.push(String(error)));
  await page.goto(url);
  await page.waitForFunction(() => document.querySelector("#model-name").textContent.trim() !== "");
  return page;
}

export async function send(page, text) {
  await page.fill("#input", text);
  await page.press("#input", "Enter");
}

/** Until no answer is being written. */
export async function untilDone(page) {
  await page.waitForSelector("#send:not([hidden])");
  await page.waitForFunction(() => !document.querySelector(".message.streaming"));
}

export const answers = (page) => page.locator(".message.assistant");

/** What a setting is set to; an empty text takes it back. */
export const setting = (page, name, value) =>
  page.evaluate(([field, text]) => {
    const input = document.querySelector("#settings").elements.namedItem(field);
    input.value = text;
    input.dispatchEvent(new Event("input", { bubbles: true }));
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }, [name, value]);

/** Stands before a server and passes events on slowly, so that answers can be stopped in the middle. */
export async function startSlowly(url, pauseMs) {
  const proxy = createServer((request, response) => {
    const target = new URL(request.url, url);
    const upstream = httpRequest(target, { method: request.method, headers: request.headers }, async (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      const slow = (answer.headers["content-type"] ?? "").startsWith("text/event-stream");
      try {
        for await (const data of answer) {
          for (const event of slow ? data.toString("latin1").split(/(?<=\n\n)/) : [data]) {
            response.write(slow ? Buffer.from(event, "latin1") : event);
            if (slow) await pause(pauseMs);
            if (response.destroyed) return;
          }
        }
        response.end();
      } catch {
        response.destroy(); // one of the two has gone
      }
    });
    upstream.on("error", () => response.destroy());
    response.on("close", () => upstream.destroy());
    request.pipe(upstream);
  });
  await new Promise((done) => proxy.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${proxy.address().port}`,
    stop: () => new Promise((done) => {
      proxy.close(done);
      proxy.closeAllConnections();
    }),
  };
}

// The page at "/" in headless Chromium, against a real server with the model in models/.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";

import { answers, openPage, send, setting, startBrowser, startServer, startSlowly, untilDone } from "./browser.mjs";

const FOX = "Tell me a story about a fox.";
let browser;
let server;
let slow;
let context;

before(async () => {
  browser = await startBrowser();
  server = await startServer("--head", "certified");
  slow = await startSlowly(server.url, 25);
});
after(async () => {
  await slow?.stop();
  await browser?.close();
  assert.equal(await server?.stop(), 0);
});
beforeEach(async () => {
  context = await browser.newContext({ viewport: { width: 1360, height: 860 } });
});
afterEach(() => context.close());

const text = async (page, selector) => (await page.locator(selector).first().innerText()).trim();
const streaming = (page, tokens) =>
  page.waitForFunction((least) => document.querySelectorAll(".streaming .strip i").length >= least, tokens);

async function ask(page, words = FOX, most = "40") {
  await setting(page, "max_tokens", most);
  await send(page, words);
  await untilDone(page);
}

/** What the API says to the same request. */
async function expected(more) {
  const response = await fetch(`${server.url}/v1/chat/completions`, {
    method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ messages: [{ role: "user", content: FOX }], ...more }),
  });
  return (await response.json()).choices[0].message.content;
}

describe("chat", () => {
  test("an answer streams, and is what the API says", async () => {
    const page = await openPage(context, server.url);
    assert.equal(await page.evaluate(() => document.activeElement.id), "input");
    await setting(page, "seed", "7");
    await ask(page);
    assert.equal((await text(page, ".assistant .body")).replace(/\s+/g, " "),
      (await expected({ seed: 7, max_tokens: 40 })).trim().replace(/\s+/g, " "));
    assert.match(await text(page, ".assistant .summary"), /40 tokens · .*tokens\/s · .* % of the head read · prompt \d+.*, [\d.]+ ms/);
    assert.equal(await page.locator(".strip i").count(), 40);
    assert.match(await text(page, "#layers-ms"), /^[\d.]+ ms$/);
    assert.match(await text(page, "#head-ms"), /^[\d.]+ ms$/);
    const chosen = Number(await text(page, "#n-certified")) + Number(await text(page, "#n-fallback"));
    assert.equal(chosen, 40);
    assert.deepEqual(page.mistakes, []);
  });

  test("Enter sends, Shift+Enter makes a line, and the question stays as it was written", async () => {
    const page = await openPage(context, server.url);
    await setting(page, "max_tokens", "3");
    await page.locator("#input").pressSequentially("<b>one</b>");
    await page.press("#input", "Shift+Enter");
    await page.locator("#input").pressSequentially("two & <img src=x onerror=alert(1)>");
    await page.press("#input", "Enter");
    await untilDone(page);
    assert.equal(await text(page, ".user .body"), "<b>one</b>\ntwo & <img src=x onerror=alert(1)>");
    assert.equal(await page.locator(".message b, .message img").count(), 0);
    assert.equal(await page.inputValue("#input"), "");
    assert.deepEqual(page.mistakes, []);
  });

  test("the system message and sampling settings are sent", async () => {
    const page = await openPage(context, server.url);
    await setting(page, "system", "You are a bear.");
    await setting(page, "temperature", "0");
    await setting(page, "top_k", "5");
    const [request] = await Promise.all([page.waitForRequest(/chat\/completions/), ask(page, FOX, "2")]);
    const sent = request.postDataJSON();
    assert.deepEqual(sent.messages, [{ role: "system", content: "You are a bear." }, { role: "user", content: FOX }]);
    assert.deepEqual([sent.temperature, sent.top_k, sent.max_tokens, sent.top_p], [0, 5, 2, undefined]);
  });

  test("an answer follows a JSON schema; tokens that it forces cost no head", async () => {
    const page = await openPage(context, server.url);
    await setting(page, "schema", "{not JSON");
    assert.equal(await text(page, "#schema-state"), "not JSON yet");
    await send(page, FOX);
    assert.equal(await page.evaluate(() => document.activeElement.name), "schema");
    assert.equal(await page.locator(".message").count(), 0);
    const schema = { type: "object", properties: { animal: { enum: ["fox", "bear"] } }, required: ["animal"] };
    await setting(page, "schema", JSON.stringify(schema));
    await ask(page, FOX, "100");
    assert.match(JSON.parse(await text(page, ".assistant .body")).animal, /^(fox|bear)$/);
    assert.ok(Number(await text(page, "#n-forced")) > 0);
    assert.ok((await page.locator(".strip .forced").count()) > 0);
  });

  test("the strip says of each token what it took, by mouse and by keys", async () => {
    const page = await openPage(context, server.url);
    await ask(page, FOX, "12");
    await page.locator(".strip i").nth(4).hover();
    assert.match(await text(page, ".readout"), /id \d+ · (certified|fell back).* · read [\d.]+ [kM]?B, [\d.]+ %/);
    await page.mouse.move(0, 0);
    await page.locator(".readout").waitFor({ state: "hidden" });
    await page.focus(".strip");
    await page.keyboard.press("End");
    assert.equal(await page.getAttribute(".strip", "aria-valuenow"), "11");
    await page.keyboard.press("ArrowLeft");
    assert.equal(await page.getAttribute(".strip", "aria-valuenow"), "10");
  });

  test("a retry takes the answer's place; an edit goes back to the question", async () => {
    const page = await openPage(context, server.url);
    await ask(page, FOX, "5");
    await page.getByRole("button", { name: "Retry" }).click();
    await untilDone(page);
    assert.equal(await answers(page).count(), 1);
    await page.locator(".message.user").hover();
    await page.getByRole("button", { name: "Edit" }).click();
    assert.equal(await page.inputValue("#input"), FOX);
    assert.equal(await page.locator(".message").count(), 0);
  });
});

describe("stopping", () => {
  for (const [how, stop] of [["Esc", (page) => page.keyboard.press("Escape")], ["the button", (page) => page.click("#stop")]]) {
    test(`${how} stops, and what came stays`, async () => {
      const page = await openPage(context, slow.url);
      await setting(page, "max_tokens", "400");
      await send(page, FOX);
      await streaming(page, 5);
      await stop(page);
      await untilDone(page);
      assert.match(await text(page, ".assistant .summary"), /^Stopped · \d+ tokens/);
      assert.ok((await page.locator(".strip i").count()) < 300);
      assert.notEqual(await text(page, ".assistant .body"), "");
      await ask(page, "And then?", "3");
      assert.equal(await answers(page).count(), 2);
      assert.deepEqual(page.mistakes, []);
    });
  }
});

describe("what is kept", () => {
  test("a reload shows the conversation again, and it goes on", async () => {
    const page = await openPage(context, server.url);
    await ask(page);
    const before_ = await text(page, "#messages");
    await page.reload();
    await page.waitForSelector(".assistant .summary");
    assert.equal(await text(page, "#messages"), before_);
    assert.equal(await page.locator(".strip i").count(), 40);
    const [request] = await Promise.all([page.waitForRequest(/chat\/completions/), ask(page, "And then?", "3")]);
    assert.deepEqual(request.postDataJSON().messages.map(({ role }) => role), ["user", "assistant", "user"]);
    assert.deepEqual(page.mistakes, []);
  });

  test("a reload in the middle of an answer keeps what came", async () => {
    const page = await openPage(context, slow.url);
    await setting(page, "max_tokens", "400");
    await send(page, FOX);
    await streaming(page, 8);
    await page.reload();
    await page.waitForSelector(".assistant .summary");
    assert.match(await text(page, ".assistant .summary"), /^Stopped/);
    assert.ok((await page.locator(".strip i").count()) >= 8);
  });

  test("chats are listed, opened and deleted", async () => {
    const page = await openPage(context, server.url);
    await ask(page, "First <i>one</i>", "3");
    await page.click("#new-chat");
    assert.equal(await page.locator(".message").count(), 0);
    await ask(page, "Second one", "3");
    const names = () => page.locator("#chat-list .open").allInnerTexts();
    assert.deepEqual(await names(), ["Second one", "First <i>one</i>"]);
    await page.getByRole("button", { name: "First <i>one</i>", exact: true }).click();
    assert.equal(await text(page, ".user .body"), "First <i>one</i>");
    await page.getByRole("button", { name: "Delete First <i>one</i>" }).click();
    assert.deepEqual(await names(), ["Second one"]);
    assert.equal(await page.locator(".message").count(), 0);
  });

  test("two tabs have their own chats, and may write into the same one at once", async () => {
    const first = await openPage(context, slow.url);
    const second = await openPage(context, slow.url);
    await first.bringToFront(); // a page behind another draws no frames
    await setting(first, "max_tokens", "60");
    await send(first, "One");
    await streaming(first, 3);
    assert.equal(await second.locator(".message").count(), 0);
    await second.bringToFront();
    await second.locator("#chat-list .open").first().click();
    await send(second, "Two");
    await Promise.all([untilDone(first), untilDone(second)]);
    for (const page of [first, second]) {
      await page.bringToFront();
      await page.waitForFunction(() => document.querySelectorAll(".message").length === 4);
      await page.waitForFunction(() => document.querySelectorAll(".message.streaming").length === 0);
      assert.deepEqual(await page.locator(".user .body").allInnerTexts(), ["One", "Two"]);
      assert.deepEqual(page.mistakes, []);
    }
    assert.deepEqual(await first.locator(".assistant .body").allInnerTexts(), await second.locator(".assistant .body").allInnerTexts());
    await second.getByRole("button", { name: "Delete One" }).click();
    await first.bringToFront();
    await first.waitForFunction(() => document.querySelectorAll(".message").length === 0);
  });

  test("a browser without storage still chats", async () => {
    await context.addInitScript(() => {
      for (const name of ["localStorage", "sessionStorage"])
        Object.defineProperty(window, name, { get: () => { throw new DOMException("no", "SecurityError"); } });
    });
    const page = await openPage(context, server.url);
    await ask(page, FOX, "5");
    assert.equal(await page.locator(".strip i").count(), 5);
    assert.deepEqual(page.mistakes, []);
  });
});

describe("mistakes", () => {
  test("errors stand in the server's words, and a retry mends them", async () => {
    const page = await openPage(context, server.url);
    await setting(page, "temperature", "1000");
    await ask(page, FOX, "5");
    const response = await fetch(`${server.url}/v1/chat/completions`, {
      method: "POST", body: JSON.stringify({ messages: [{ role: "user", content: FOX }], temperature: 1000 }),
    });
    assert.equal(response.status, 400);
    assert.equal(await text(page, ".assistant .error"), (await response.json()).error.message);
    await setting(page, "temperature", "");
    await page.getByRole("button", { name: "Retry" }).click();
    await untilDone(page);
    assert.equal(await page.locator(".error:visible").count(), 0);
    assert.equal(await page.locator(".strip i").count(), 5);
  });

  test("a server that is not there, or goes in the middle, is said", async () => {
    const proxy = await startSlowly(server.url, 25);
    const page = await openPage(context, proxy.url);
    await setting(page, "max_tokens", "400");
    await send(page, FOX);
    await streaming(page, 5);
    await proxy.stop();
    await untilDone(page);
    assert.match(await text(page, ".assistant .error"), /^The connection (broke off|ended before the answer did)\.$/);
    assert.notEqual(await text(page, ".assistant .body"), "");
    await ask(page, "Still there?", "5");
    assert.equal(await page.locator(".error:visible").last().innerText(), "The server does not answer.");
  });

  test("a key is asked for, and stays in its tab", async () => {
    const closed = await startServer("--api-key", "open sesame");
    const page = await openPage(context, closed.url);
    assert.match(await text(page, "#model-facts"), /API key/);
    await ask(page, FOX, "3");
    assert.match(await text(page, ".assistant .error"), /API key/);
    await setting(page, "key", "open sesame");
    await page.waitForFunction(() => /head/.test(document.querySelector("#model-facts").textContent));
    await page.getByRole("button", { name: "Retry" }).click();
    await untilDone(page);
    assert.equal(await page.locator(".strip i").count(), 3);
    assert.ok(!(await page.evaluate(() => JSON.stringify({ ...localStorage }))).includes("sesame"));
    await page.close();
    assert.equal(await closed.stop(), 0);
  });
});

describe("how it looks", () => {
  test("colours follow the system, and the switch", async () => {
    const ground = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const page = await openPage(context, server.url);
    await page.emulateMedia({ colorScheme: "light" });
    const light = await ground(page);
    await page.emulateMedia({ colorScheme: "dark" });
    const dark = await ground(page);
    assert.notEqual(light, dark);
    await page.getByText("Light", { exact: true }).click();
    assert.equal(await ground(page), light);
    await page.reload();
    assert.equal(await ground(page), light);
    await page.getByText("System", { exact: true }).click();
    assert.equal(await ground(page), dark);
  });

  test("a phone's width shows all of it, the sides one at a time", async () => {
    await context.close();
    context = await browser.newContext({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
    const page = await openPage(context, server.url);
    await setting(page, "max_tokens", "40");
    await page.fill("#input", `${FOX} ${"x".repeat(200)}`);
    await page.tap("#send");
    await untilDone(page);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    assert.match(await text(page, "#now-line"), /tokens\/s · layers [\d.]+ ms · head [\d.]+ ms/);
    await page.tap("#open-panel");
    await page.locator("#n-certified").waitFor({ state: "visible" });
    await page.keyboard.press("Escape");
    await page.locator("#panel").waitFor({ state: "hidden" });
    await page.tap("#open-chats");
    await page.tap("#new-chat");
    await page.locator("#chats").waitFor({ state: "hidden" });
    assert.equal(await page.locator(".message").count(), 0);
    assert.deepEqual(page.mistakes, []);
  });
});

test("the page may run its own files alone, and nobody may frame it", async () => {
  const response = await fetch(server.url);
  const policy = response.headers.get("content-security-policy");
  for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"])
    assert.ok(policy.includes(part), policy);
  assert.ok(!policy.includes("unsafe"), policy);
  assert.equal(response.headers.get("x-content-type-options"), "nosniff");
  assert.ok(!/https?:\/\//.test(await response.text()));
});

test("Markdown of an answer becomes elements, never markup", async () => {
  const page = await openPage(context, server.url);
  const drawn = await page.evaluate(async () => {
    const { draw } = await import("/page/markdown.js");
    const parent = document.createElement("div");
    // Piece by piece, as it streams.
    const whole = "# Head\nA `<b>` and **bold**\n\n```js\nlet a = \"<script>\";\n```\n<img src=x>\n```\nopen";
    for (let length = 1; length <= whole.length; ++length) draw(whole.slice(0, length), parent);
    return [...parent.children].map((child) => [child.className || child.localName, child.querySelector("pre")?.textContent ?? child.textContent]);
  });
  assert.deepEqual(drawn, [["h3", "Head"], ["p", "A <b> and bold"], ["fence", "let a = \"<script>\";"], ["p", "<img src=x>"], ["fence", "open"]]);
});

// Pictures of the page: node tests/page/pictures.mjs FOLDER [MODE...]; modes: light, dark, phone.
import { join } from "node:path";

import { openPage, send, setting, startBrowser, startServer, untilDone } from "./browser.mjs";

const SIZES = {
  light: { colorScheme: "light", viewport: { width: 1360, height: 850 } },
  dark: { colorScheme: "dark", viewport: { width: 1360, height: 850 } },
  phone: { colorScheme: "light", viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 },
};

const [folder, ...modes] = process.argv.slice(2);
const browser = await startBrowser();
const server = await startServer("--head", "certified");
for (const mode of modes.length > 0 ? modes : Object.keys(SIZES)) {
  const context = await browser.newContext(SIZES[mode]);
  const page = await openPage(context, server.url);
  await page.screenshot({ path: join(folder, `${mode}-welcome.png`) });
  await setting(page, "seed", "3");
  await setting(page, "max_tokens", "150");
  await setting(page, "temperature", "0.8");
  await send(page, "Tell me a story about a fox.");
  await untilDone(page);
  await setting(page, "schema",
    '{"type": "object", "properties": {"animal": {"enum": ["fox", "bear"]}, "age": {"type": "integer", "minimum": 1, "maximum": 9}}, "required": ["animal", "age"]}');
  await send(page, "Which animal was it, and how old?");
  await untilDone(page);
  await setting(page, "schema", "");
  if (mode !== "phone") await page.locator(".strip i").nth(60).hover();
  await page.screenshot({ path: join(folder, `${mode}.png`) });
  if (mode === "phone") {
    await page.tap("#open-panel");
    await page.waitForTimeout(400);
    await page.screenshot({ path: join(folder, "phone-panel.png") });
  }
  await setting(page, "temperature", "1000");
  await page.keyboard.press("Escape");
  await send(page, "And one more.");
  await untilDone(page);
  await page.screenshot({ path: join(folder, `${mode}-error.png`) });
  await context.close();
}
await browser.close();
await server.stop();

// The `ai` package with @ai-sdk/openai-compatible.
import assert from "node:assert/strict";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embed, generateObject, generateText, streamText, tool } from "ai";
import { z } from "zod";

const provider = createOpenAICompatible({
  name: "headway", baseURL: `${process.env.HEADWAY_URL}/v1`, apiKey: process.env.HEADWAY_KEY,
  includeUsage: true, supportsStructuredOutputs: true,
});
const model = provider("story");
const ask = { model, prompt: "Tell me a story about a fox.", temperature: 0, maxOutputTokens: 24, maxRetries: 0 };

const whole = await generateText(ask);
assert.ok(whole.text && whole.usage.outputTokens <= 24);
const stream = streamText(ask);
let text = "";
for await (const part of stream.textStream) text += part;
assert.equal(text, whole.text);
assert.equal((await stream.usage).outputTokens, whole.usage.outputTokens);

const kind = z.object({ kind: z.enum(["fox", "bear"]), legs: z.number().int().min(0).max(8) });
const { object } = await generateObject({ ...ask, maxOutputTokens: 400, schema: kind });
assert.ok(object.legs <= 8);

let asked;
await generateText({
  ...ask, maxOutputTokens: 800, toolChoice: "required",
  tools: { choose: tool({ description: "Chooses.", inputSchema: kind, execute: async (input) => { asked = input; return "done"; } }) },
});
assert.ok(["fox", "bear"].includes(asked.kind));

const { embedding } = await embed({ model: provider.textEmbeddingModel("story"), value: "a fox", maxRetries: 0 });
assert.ok(embedding.length > 0);
await assert.rejects(generateText({ ...ask, temperature: "hot" }));
console.log("ai with @ai-sdk/openai-compatible: text, stream, object, tool, embedding, errors");

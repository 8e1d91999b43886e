// OpenAI's library for Node.
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({
  baseURL: `${process.env.HEADWAY_URL}/v1`, apiKey: process.env.HEADWAY_KEY, maxRetries: 0,
});
const ask = {
  model: "story", messages: [{ role: "user", content: "Tell me a story about a fox." }],
  seed: 7, temperature: 0.8, max_tokens: 32,
};
const schema = {
  type: "object", additionalProperties: false, required: ["kind"],
  properties: { kind: { enum: ["fox", "bear"] } },
};

const whole = await client.chat.completions.create(ask);
let text = "";
for await (const chunk of await client.chat.completions.create({ ...ask, stream: true })) {
  text += chunk.choices[0]?.delta?.content ?? "";
}
assert.equal(text, whole.choices[0].message.content);

const animal = await client.chat.completions.create({
  ...ask, response_format: { type: "json_schema", json_schema: { name: "animal", strict: true, schema } },
});
assert.ok(["fox", "bear"].includes(JSON.parse(animal.choices[0].message.content).kind));

const tools = [{ type: "function", function: { name: "choose", parameters: schema } }];
const runner = client.chat.completions.stream({ ...ask, tools, tool_choice: "required", max_tokens: 400 });
const [call] = (await runner.finalChatCompletion()).choices[0].message.tool_calls;
assert.ok(["fox", "bear"].includes(JSON.parse(call.function.arguments).kind));

const response = await client.responses.create({ model: "story", input: "Tell me a story.", max_output_tokens: 16 });
assert.ok(response.output_text);

// A client that goes away in the middle.
const stream = await client.chat.completions.create({ ...ask, max_tokens: 200, stream: true });
for await (const chunk of stream) {
  assert.ok(chunk.id);
  stream.controller.abort();
}

await assert.rejects(client.chat.completions.create({ ...ask, temperature: "hot" }), OpenAI.BadRequestError);
console.log("openai for Node: chat, stream, schema, tools, responses, abort, errors");

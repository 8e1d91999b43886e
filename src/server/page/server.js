// Requests to the server that the page came from.

/** What the server said, in its words. `status` 0: it said nothing. */
export class ServerError extends Error {
  constructor(status, message, retryAfter = null) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

const headers = (apiKey) => (apiKey ? { Authorization: `Bearer ${apiKey}` } : {});

async function request(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError(0, "The server does not answer.");
  }
  if (response.ok) return response;
  const text = await response.text().catch(() => "");
  let message = text;
  try {
    message = JSON.parse(text).error.message;
  } catch {
    // Not an error object of ours: a proxy's page, perhaps.
  }
  throw new ServerError(response.status, message || response.statusText, response.headers.get("Retry-After"));
}

export async function props(apiKey) {
  return (await request("/props", { headers: headers(apiKey) })).json();
}

/** {name: value} of /metrics. */
export async function metrics(apiKey) {
  const text = await (await request("/metrics", { headers: headers(apiKey) })).text();
  const values = {};
  for (const line of text.split("\n")) {
    const [name, value] = line.split(" ");
    if (name && !name.startsWith("#")) values[name] = Number(value);
  }
  return values;
}

/** The chunks of a streamed answer. Throws ServerError, also for an error in the middle of it. */
export async function* chat(body, apiKey, signal) {
  const response = await request("/v1/chat/completions", {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers(apiKey) },
    body: JSON.stringify(body),
    signal,
  });
  for await (const data of events(response.body)) {
    if (data === "[DONE]") return;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new ServerError(500, chunk.error.message);
    yield chunk;
  }
  throw new ServerError(0, "The connection ended before the answer did.");
}

/** The data of server-sent events, which pieces of a stream cut anywhere. */
export async function* events(stream) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error) => {
        if (error.name === "AbortError") throw error;
        throw new ServerError(0, "The connection broke off.");
      });
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      const lines = rest.split("\n");
      rest = lines.pop();
      for (const line of lines) {
        if (line.startsWith("data: ")) yield line.slice(6).trimEnd();
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

"""Chats in OpenAI's two forms and in Anthropic's: whole, streamed, by schema, with tools."""
import json

from server_process import ServerTest, main

MESSAGES = [{"role": "user", "content": "Tell me a story about a fox."}]
SCHEMA = {
    "type": "object",
    "properties": {"animal": {"enum": ["fox", "bear"]}, "age": {"type": "integer", "minimum": 1, "maximum": 9}},
    "required": ["animal", "age"],
}
TOOLS = [
    {"type": "function", "function": {"name": "find", "parameters": {
        "type": "object", "properties": {"what": {"enum": ["fox", "hat"]}}, "required": ["what"]}}},
    {"type": "function", "function": {"name": "wait", "parameters": {
        "$defs": {"time": {"type": "integer", "minimum": 1, "maximum": 5}},
        "type": "object", "properties": {"for": {"$ref": "#/$defs/time"}}, "required": ["for"]}}},
]


class Chat(ServerTest):
    def chat(self, **more):
        return self.server.post("/v1/chat/completions", {"messages": MESSAGES, "temperature": 0, "max_tokens": 40, **more})

    def test_chat_has_openais_form(self):
        answer = self.chat()
        self.assertEqual(answer["object"], "chat.completion")
        choice = answer["choices"][0]
        self.assertEqual(choice["message"]["role"], "assistant")
        self.assertTrue(choice["message"]["content"])
        self.assertIn(choice["finish_reason"], ("stop", "length"))
        self.assertIsNone(choice["logprobs"])

    def test_stream_is_the_same_text(self):
        whole = self.chat(n=2, seed=5, temperature=1)
        body = {"messages": MESSAGES, "temperature": 1, "seed": 5, "max_tokens": 40, "n": 2,
                "stream_options": {"include_usage": True}}
        events = self.server.stream("/v1/chat/completions", body)
        self.assertEqual(events[-1][1], "[DONE]")
        self.assertEqual(events[-2][1]["usage"]["completion_tokens"], whole["usage"]["completion_tokens"])
        texts, reasons = ["", ""], [None, None]
        for _, event in events[:-2]:
            choice = event["choices"][0]
            texts[choice["index"]] += choice["delta"].get("content") or ""
            reasons[choice["index"]] = choice["finish_reason"] or reasons[choice["index"]]
        self.assertEqual(texts, [c["message"]["content"] for c in whole["choices"]])
        self.assertEqual(reasons, [c["finish_reason"] for c in whole["choices"]])

    def test_logprobs(self):
        choice = self.chat(max_tokens=5, logprobs=True, top_logprobs=2)["choices"][0]
        content = choice["logprobs"]["content"]
        self.assertEqual(len(content), 5)
        self.assertEqual(len(content[0]["top_logprobs"]), 2)
        self.assertEqual(content[0]["token"], content[0]["top_logprobs"][0]["token"])
        self.assertEqual(bytes(content[0]["bytes"]).decode(), content[0]["token"])

    def test_what_each_token_took(self):
        ask = {"headway": {"per_token": True}, "seed": 3, "temperature": 1}
        plain = self.chat(seed=3, temperature=1)["choices"][0]
        choice = self.chat(**ask)["choices"][0]
        self.assertNotIn("headway", plain)
        self.assertEqual(choice["message"], plain["message"])
        self.assertIsNone(choice["logprobs"])
        tokens = choice["headway"]["tokens"]
        self.assertEqual("".join(token["token"] for token in tokens).strip(), choice["message"]["content"].strip())
        self.assertGreater(tokens[-1]["layers_ms"], 0)
        self.assertGreater(tokens[-1]["head_share"], 0)
        for token in tokens:
            self.assertEqual(set(token), {"id", "token", "chosen_by", "drafted", "head_bytes", "head_share",
                                          "rows_exact", "layers_ms", "head_ms"})
            self.assertEqual(token["chosen_by"], "full")
        body = {"messages": MESSAGES, "max_tokens": 40, **ask}
        streamed = []
        for _, event in self.server.stream("/v1/chat/completions", body)[:-1]:
            for one in event["choices"]:
                streamed += one.get("headway", {}).get("tokens", [])
        self.assertEqual([token["id"] for token in streamed], [token["id"] for token in tokens])

    def test_forced_tokens_took_no_head(self):
        schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
        choice = self.chat(response_format=schema, headway={"per_token": True})["choices"][0]
        forced = [token for token in choice["headway"]["tokens"] if token["chosen_by"] == "forced"]
        self.assertTrue(forced)
        self.assertTrue(all(token["head_bytes"] == 0 and token["head_ms"] is None for token in forced))

    def test_json(self):
        for seed in range(4):
            schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
            answer = self.chat(temperature=1, seed=seed, max_tokens=100, response_format=schema)
            found = json.loads(answer["choices"][0]["message"]["content"])
            self.assertIn(found["animal"], ("fox", "bear"))
            self.assertIn(found["age"], range(1, 10))
        self.refused("/v1/chat/completions", {"messages": MESSAGES, "response_format": {
            "type": "json_schema", "json_schema": {"schema": {"type": "nothing"}}}}, param="response_format", part="type")

    def check_call(self, name, arguments):
        if name == "find":
            self.assertIn(arguments["what"], ("fox", "hat"))
        else:
            self.assertEqual(name, "wait")
            self.assertIn(arguments["for"], range(1, 6))

    def test_tools(self):
        for seed in range(4):
            answer = self.chat(tools=TOOLS, tool_choice="required", temperature=1, seed=seed, max_tokens=200,
                               parallel_tool_calls=False)
            choice = answer["choices"][0]
            self.assertEqual(choice["finish_reason"], "tool_calls")
            self.assertIsNone(choice["message"]["content"])
            (call,) = choice["message"]["tool_calls"]
            self.check_call(call["function"]["name"], json.loads(call["function"]["arguments"]))
        named = {"type": "function", "function": {"name": "wait"}}
        body = {"messages": MESSAGES, "tools": TOOLS, "tool_choice": named, "parallel_tool_calls": False, "max_tokens": 200,
                "seed": 1}
        events = [e for _, e in self.server.stream("/v1/chat/completions", body) if e != "[DONE]"]
        self.assertIsNone(events[0]["choices"][0]["delta"]["content"])
        calls = [c for e in events for c in e["choices"][0]["delta"].get("tool_calls", [])]
        self.assertEqual([c["function"]["name"] for c in calls], ["wait"])
        self.assertEqual(events[-1]["choices"][0]["finish_reason"], "tool_calls")
        # What came of a call goes into the next request.
        again = MESSAGES + [{"role": "assistant", "content": None, "tool_calls": calls},
                            {"role": "tool", "tool_call_id": calls[0]["id"], "content": "done"}]
        self.assertTrue(self.server.post("/v1/chat/completions", {"messages": again, "max_tokens": 5})["choices"])

    def test_template(self):
        prompt = self.server.post("/apply-template", {"messages": MESSAGES})["prompt"]
        self.assertIn("Tell me a story about a fox.", prompt)
        count = self.server.post("/v1/messages/count_tokens", {"messages": MESSAGES})["input_tokens"]
        self.assertEqual(count, self.chat(max_tokens=1)["usage"]["prompt_tokens"])

    def test_responses(self):
        body = {"input": "Tell me a story about a fox.", "temperature": 0, "max_output_tokens": 30}
        answer = self.server.post("/v1/responses", body)
        self.assertEqual(answer["object"], "response")
        self.assertEqual(answer["status"], "incomplete")
        text = answer["output"][0]["content"][0]["text"]
        self.assertEqual(text, self.chat(max_tokens=30)["choices"][0]["message"]["content"])
        events = self.server.stream("/v1/responses", body)
        self.assertEqual([e["sequence_number"] for _, e in events], list(range(len(events))))
        self.assertEqual(events[0][0], "response.created")
        self.assertEqual(events[-1][0], "response.incomplete")
        self.assertEqual("".join(e["delta"] for name, e in events if name == "response.output_text.delta"), text)
        self.assertEqual(events[-1][1]["response"]["output"][0]["content"][0]["text"], text)

    def test_messages(self):
        body = {"messages": MESSAGES, "max_tokens": 30, "temperature": 0}
        answer = self.server.post("/v1/messages", body)
        self.assertEqual((answer["type"], answer["stop_reason"]), ("message", "max_tokens"))
        text = answer["content"][0]["text"]
        self.assertEqual(text, self.chat(max_tokens=30)["choices"][0]["message"]["content"])
        events = self.server.stream("/v1/messages", body)
        self.assertEqual(events[0][0], "message_start")
        self.assertEqual([name for name, _ in events[-2:]], ["message_delta", "message_stop"])
        self.assertEqual("".join(e["delta"]["text"] for name, e in events if name == "content_block_delta"), text)
        tools = [{"name": "wait", "input_schema": TOOLS[1]["function"]["parameters"]}]
        called = self.server.post("/v1/messages", {"messages": MESSAGES, "max_tokens": 200, "tools": tools, "seed": 2,
                                                   "tool_choice": {"type": "any", "disable_parallel_tool_use": True}})
        self.assertEqual(called["stop_reason"], "tool_use")
        self.check_call(called["content"][0]["name"], called["content"][0]["input"])
        status, wrong, _ = self.server.ask("POST", "/v1/messages", {"messages": MESSAGES})
        self.assertEqual((status, wrong["type"], wrong["error"]["type"]), (400, "error", "invalid_request_error"))

    def test_mistakes_name_the_field(self):
        self.refused("/v1/chat/completions", {}, param="messages", part="none")
        self.refused("/v1/chat/completions", {"messages": [{"role": "x", "content": ""}]}, param="messages[0].role", part="x")
        self.refused("/v1/chat/completions", {"messages": MESSAGES, "tools": [{"type": "function"}]}, param="tools[0].name",
                     part="name")
        self.refused("/v1/responses", {"input": 3}, param="input", part="string")


if __name__ == "__main__":
    main()

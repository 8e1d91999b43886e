"""Completions, tokens, state and mistakes."""
import json
import math

from server_process import ServerTest, main

PROMPT = "Once upon a time, there was a"


class Api(ServerTest):
    flags = ("--alias", "story", "--parallel", "4")

    def complete(self, **more):
        return self.server.post("/v1/completions", {"prompt": PROMPT, "temperature": 0, **more})

    def test_completion_has_openais_form(self):
        answer = self.complete(max_tokens=8)
        self.assertEqual(answer["object"], "text_completion")
        self.assertEqual(answer["model"], "story")
        choice = answer["choices"][0]
        self.assertEqual(choice["finish_reason"], "length")
        self.assertTrue(choice["text"])
        usage = answer["usage"]
        self.assertEqual(usage["completion_tokens"], 8)
        self.assertEqual(usage["total_tokens"], usage["prompt_tokens"] + 8)
        self.assertIn("cached_tokens", usage["prompt_tokens_details"])
        self.assertEqual(answer["timings"]["predicted_n"], 8)

    def test_stream_is_the_same_text(self):
        whole = self.complete(max_tokens=20)["choices"][0]["text"]
        body = {"prompt": PROMPT, "temperature": 0, "max_tokens": 20, "stream_options": {"include_usage": True}}
        events = self.server.stream("/v1/completions", body)
        self.assertEqual(events[-1][1], "[DONE]")
        self.assertEqual(events[-2][1]["usage"]["completion_tokens"], 20)
        self.assertEqual(events[-2][1]["choices"], [])
        chunks = [event for _, event in events[:-2]]
        self.assertEqual("".join(c["choices"][0]["text"] for c in chunks), whole)
        self.assertEqual([c["choices"][0]["finish_reason"] for c in chunks][-1], "length")
        self.assertTrue(all(c["usage"] is None for c in chunks))

    def test_second_time_the_prompt_is_cached(self):
        body = {"prompt": "The king of the small blue house by the river had a very long and good day.", "max_tokens": 4}
        first = self.server.post("/v1/completions", dict(body, temperature=0))
        again = self.server.post("/v1/completions", dict(body, temperature=0))
        self.assertEqual(first["choices"], again["choices"])
        tokens = again["usage"]["prompt_tokens"]
        self.assertEqual(again["usage"]["prompt_tokens_details"]["cached_tokens"], tokens - 1)
        fresh = self.server.post("/v1/completions", dict(body, temperature=0, cache_prompt=False))
        self.assertEqual(fresh["usage"]["prompt_tokens_details"]["cached_tokens"], 0)
        self.assertEqual(fresh["choices"], first["choices"])

    def test_prompts_and_choices(self):
        answer = self.server.post("/v1/completions", {"prompt": [PROMPT, "A cat"], "n": 2, "max_tokens": 5, "seed": 3})
        self.assertEqual([c["index"] for c in answer["choices"]], [0, 1, 2, 3])
        self.assertEqual(answer["usage"]["completion_tokens"], 20)
        single = self.server.post("/v1/completions", {"prompt": "A cat", "max_tokens": 5, "seed": 3})
        self.assertEqual(single["choices"][0]["text"], answer["choices"][2]["text"])
        ids = self.server.post("/tokenize", {"content": PROMPT, "add_special": True})["tokens"]
        by_ids = self.server.post("/v1/completions", {"prompt": ids, "max_tokens": 5, "temperature": 0})
        self.assertEqual(by_ids["choices"][0]["text"], self.complete(max_tokens=5)["choices"][0]["text"])

    def test_stop_echo_and_zero_tokens(self):
        text = self.complete(max_tokens=30)["choices"][0]["text"]
        word = text.split()[3]
        stopped = self.complete(max_tokens=30, stop=[word])["choices"][0]
        self.assertEqual(stopped["finish_reason"], "stop")
        self.assertEqual(stopped["text"], text[: text.index(word)])
        self.assertTrue(self.complete(max_tokens=2, echo=True)["choices"][0]["text"].startswith(PROMPT))
        none = self.complete(max_tokens=0)
        self.assertEqual((none["choices"][0]["text"], none["usage"]["completion_tokens"]), ("", 0))

    def test_logprobs(self):
        choice = self.complete(max_tokens=4, logprobs=3)["choices"][0]
        logprobs = choice["logprobs"]
        self.assertEqual("".join(logprobs["tokens"]), choice["text"])
        for token, logprob, best in zip(logprobs["tokens"], logprobs["token_logprobs"], logprobs["top_logprobs"]):
            self.assertLessEqual(logprob, 0)
            self.assertLessEqual(len(best), 3)
            self.assertAlmostEqual(max(best.values()), best[token], 5)  # greedy
            self.assertAlmostEqual(best[token], logprob, 4)

    def test_a_prompts_logprobs_are_those_of_the_choices(self):
        chosen = self.complete(max_tokens=6, logprobs=2)["choices"][0]
        ids = self.server.post("/tokenize", {"content": PROMPT, "add_special": True})["tokens"]
        given = self.complete(prompt=ids, echo=True, max_tokens=6, logprobs=2)["choices"][0]
        lists = given["logprobs"]
        self.assertEqual({len(column) for column in lists.values()}, {len(ids) + 6})
        self.assertEqual((lists["token_logprobs"][0], lists["top_logprobs"][0]), (None, None))
        self.assertEqual(lists["token_logprobs"][len(ids):], chosen["logprobs"]["token_logprobs"])
        for offset, token in list(zip(lists["text_offset"], lists["tokens"]))[len(ids):]:
            self.assertEqual(given["text"][offset:offset + len(token)], token)
        # The same text given, word for word: nothing is chosen, and all is as it was.
        again = self.complete(prompt=PROMPT + chosen["text"], echo=True, max_tokens=0, logprobs=2)["choices"][0]
        self.assertEqual(again["text"], PROMPT + chosen["text"])
        self.assertEqual(again["logprobs"], lists)
        events = self.server.stream("/v1/completions", {"prompt": ids, "echo": True, "max_tokens": 6, "logprobs": 2,
                                                        "temperature": 0, "stream": True})
        parts = [event["choices"][0]["logprobs"] for _, event in events if event != "[DONE]"]
        parts = [part for part in parts if part]
        for name, column in lists.items():
            self.assertEqual([item for part in parts for item in part[name]], column, name)
        for text in ("", "A"):  # BOS alone, or one token more
            one = self.complete(prompt=text or ids[:1], echo=True, max_tokens=1, logprobs=0)["choices"][0]["logprobs"]
            self.assertIsNone(one["token_logprobs"][0])
            self.assertTrue(all(logprob <= 0 for logprob in one["token_logprobs"][1:]))

    def test_logit_bias_and_grammar(self):
        ids = self.server.post("/tokenize", {"content": " dragon"})["tokens"]
        forced = self.complete(max_tokens=3, logit_bias={str(ids[0]): 1000})["choices"][0]["text"]
        self.assertTrue(forced)
        text = self.complete(max_tokens=40, grammar='root ::= " yes" | " no"')["choices"][0]
        self.assertIn(text["text"], (" yes", " no"))
        self.assertEqual(text["finish_reason"], "stop")

    def test_a_schemas_text_is_closed_as_tokens_run_out(self):
        schema = {"type": "object", "properties": {"name": {"type": "string"}, "tags": {"type": "array",
                  "items": {"type": "string"}, "minItems": 1}}, "required": ["name", "tags"]}
        lengths = set()
        for tokens in (20, 24, 32, 48):
            for temperature in (0, 1):
                answer = self.complete(max_tokens=tokens, json_schema=schema, temperature=temperature, seed=5)
                choice = answer["choices"][0]
                parsed = json.loads(choice["text"])
                self.assertEqual(sorted(parsed), ["name", "tags"])
                self.assertEqual(choice["finish_reason"], "stop")
                self.assertLessEqual(answer["usage"]["completion_tokens"], tokens)
                lengths.add(len(choice["text"]))
        self.assertGreater(len(lengths), 1)
        for body in ({"max_tokens": 3}, {"max_tokens": 20, "finish_within_budget": False}):
            choice = self.complete(json_schema=schema, **body)["choices"][0]
            self.assertEqual(choice["finish_reason"], "length")
            self.assertRaises(json.JSONDecodeError, json.loads, choice["text"])
        # With a grammar end tokens end, whatever ignore_eos says; banned, they are not needed.
        for extra in ({"ignore_eos": True}, {"logit_bias": [[0, False], [1, False], [2, False]]}):
            choice = self.complete(max_tokens=40, grammar='root ::= " yes"', **extra)["choices"][0]
            self.assertEqual((choice["text"], choice["finish_reason"]), (" yes", "stop"))

    def test_tokens_and_back(self):
        text = "The fox said: \u00fcber \U0001f98a!"
        tokens = self.server.post("/tokenize", {"content": text})["tokens"]
        self.assertEqual(self.server.post("/detokenize", {"tokens": tokens})["content"], text)
        pieces = self.server.post("/tokenize", {"content": text, "with_pieces": True})["tokens"]
        self.assertEqual([p["id"] for p in pieces], tokens)
        joined = b"".join(p["piece"].encode() if isinstance(p["piece"], str) else bytes(p["piece"]) for p in pieces)
        self.assertEqual(joined.decode(), text)

    def test_tokens_in_the_words_of_vllm(self):
        text = "The fox said: \u00fcber \U0001f98a!"
        answer = self.server.post("/tokenize", {"prompt": text})
        plain = self.server.post("/tokenize", {"prompt": text, "add_special_tokens": False, "return_token_strs": True})
        self.assertEqual(plain["tokens"], self.server.post("/tokenize", {"content": text})["tokens"])
        self.assertEqual(answer["tokens"],
                         self.server.post("/tokenize", {"content": text, "add_special": True})["tokens"])
        self.assertEqual((plain["count"], len(plain["token_strs"])), (len(plain["tokens"]),) * 2)
        self.assertEqual(plain["token_strs"][0], "The")
        self.assertEqual(self.server.post("/detokenize", {"tokens": plain["tokens"]})["prompt"], text)
        info = self.server.get("/tokenizer_info")
        props = self.server.get("/props")
        self.assertEqual((info["eos_token"], info["chat_template"]), (props["eos_token"], props["chat_template"]))
        self.assertEqual(info["model_max_length"], answer["max_model_len"])
        self.refused("/tokenize", {"prompt": 3}, param="prompt")

    def test_llama_completion(self):
        body = {"prompt": PROMPT, "n_predict": 6, "temperature": 0, "return_tokens": True}
        answer = self.server.post("/completion", body)
        self.assertEqual(answer["stop_type"], "limit")
        self.assertEqual(answer["tokens_predicted"], 6)
        self.assertEqual(len(answer["tokens"]), 6)
        events = self.server.stream("/completion", body)
        self.assertEqual("".join(e["content"] for _, e in events), answer["content"])
        self.assertTrue(events[-1][1]["stop"])

    def test_embeddings(self):
        answer = self.server.post("/v1/embeddings", {"input": ["A dog ran.", "A cat sat.", "A dog ran."]})
        vectors = [d["embedding"] for d in answer["data"]]
        for vector in vectors:
            self.assertAlmostEqual(math.fsum(x * x for x in vector), 1.0, 4)
        self.assertEqual(vectors[0], vectors[2])
        self.assertNotEqual(vectors[0], vectors[1])
        last = self.server.post("/v1/embeddings", {"input": "A dog ran.", "pooling": "last"})
        self.assertNotEqual(last["data"][0]["embedding"], vectors[0])
        text = self.server.post("/v1/embeddings", {"input": "A dog ran.", "encoding_format": "base64"})
        self.assertIsInstance(text["data"][0]["embedding"], str)

    def test_state(self):
        self.complete(max_tokens=2)
        self.assertEqual(self.server.get("/health"), {"status": "ok"})
        models = self.server.get("/v1/models")
        self.assertEqual(models["data"][0]["id"], "story")
        props = self.server.get("/props")
        self.assertEqual(props["total_slots"], 4)
        self.assertEqual(len(self.server.get("/slots")), 4)
        self.assertGreater(self.server.metric("llamacpp:tokens_predicted_total"), 0)
        self.assertGreater(self.server.metric("headway:head_bytes_total"), 0)
        self.assertEqual(self.server.metric("llamacpp:requests_processing"), 0)

    def test_mistakes_name_the_field(self):
        self.refused("/v1/completions", {}, param="prompt", part="none")
        self.refused("/v1/completions", b"{", part="JSON")
        self.refused("/v1/completions", b'{"prompt": "\xff"}', part="JSON")
        self.refused("/v1/completions", {"prompt": "a", "temperature": []}, param="temperature", part="an array")
        self.refused("/v1/completions", {"prompt": "a", "max_tokens": -7}, param="max_tokens", part="-7")
        self.refused("/v1/completions", {"prompt": [999999]}, param="prompt", part="999999")
        self.refused("/v1/completions", {"prompt": "a", "logit_bias": {"999999": 1}}, param="logit_bias", part="999999")
        self.refused("/v1/completions", {"prompt": "a", "grammar": "root ::= ("}, param="grammar", part="grammar")
        self.refused("/v1/completions", {"prompt": "word " * 5000}, param="prompt", part="context")
        self.refused("/v1/nothing", {}, status=404, part="no such endpoint")
        self.refused("/v1/completions", None, status=405, method="GET")
        self.refused("/v1/completions", b"x" * (17 << 20), status=413)
        self.refused("/v1/completions", b"abc", status=415, headers={"Content-Encoding": "gzip"})
        self.assertEqual(self.server.get("/health"), {"status": "ok"})

    def test_an_answer_may_take_so_long(self):
        self.refused("/v1/completions", {"prompt": PROMPT, "timeout": 1e-6}, status=504, part="deadline")

    def test_no_origin_is_allowed_unless_asked(self):
        _, _, headers = self.server.ask("GET", "/health", headers={"Origin": "http://evil.example"})
        self.assertNotIn("Access-Control-Allow-Origin", headers)


if __name__ == "__main__":
    main()

"""What llama-server has beside OpenAI's API: /completion, /embedding, /props, /metrics, its flags."""
import math
import time

from server_process import TIMEOUT, Server, ServerTest, main

PROMPT = "Once upon a time, there was a"


class LlamaApi(ServerTest):
    flags = ("--alias", "story,small", "--parallel", "2", "--temp", "0.5", "--seed", "7", "--n-predict", "5")

    def complete(self, **more):
        return self.server.post("/completion", {"prompt": PROMPT, **more})

    def test_flags_are_the_defaults_of_requests(self):
        params = self.server.get("/props")["default_generation_settings"]["params"]
        self.assertEqual((params["seed"], params["temperature"], params["n_predict"]), (7, 0.5, 5))
        first = self.complete()
        self.assertEqual(first["tokens_predicted"], 5)
        self.assertEqual(first["content"], self.complete(seed=7, temperature=0.5)["content"])
        self.assertEqual(self.complete(n_predict=3)["tokens_predicted"], 3)
        chat = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4, "ignore_eos": True}
        self.assertEqual(self.server.post("/v1/chat/completions", chat)["usage"]["completion_tokens"], 4)
        text = self.server.post("/v1/completions", {"prompt": PROMPT, "ignore_eos": True})
        self.assertEqual(text["usage"]["completion_tokens"], 5)

    def test_names(self):
        model = self.server.get("/v1/models")["data"][0]
        self.assertEqual((model["id"], model["aliases"]), ("story", ["story", "small"]))

    def test_answer_says_how_it_was_made(self):
        answer = self.complete(n_predict=4, logit_bias=[[" the", -3], [5, False]], seed=-1)
        settings = answer["generation_settings"]
        self.assertGreaterEqual(settings["seed"], 0)
        self.assertEqual(settings["n_predict"], 4)
        self.assertEqual(settings["logit_bias"], [{"token": 5, "bias": None}, {"text": " the", "bias": -3.0}])
        self.assertEqual(answer["prompt"], PROMPT)
        self.assertIs(answer["has_new_line"], "\n" in answer["content"])
        again = self.complete(n_predict=4, logit_bias=[[" the", -3], [5, False]], seed=settings["seed"])
        self.assertEqual(again["content"], answer["content"])
        only = self.complete(response_fields=["content", "generation_settings/n_predict", "nothing"])
        self.assertEqual(set(only), {"content", "generation_settings/n_predict"})

    def test_texts_may_be_banned(self):
        word = self.complete(temperature=0, n_predict=1)["content"]
        for bias in ({word: False}, [[word, -1000]]):
            self.assertNotEqual(self.complete(temperature=0, n_predict=1, logit_bias=bias)["content"], word)

    def test_probabilities_have_ids(self):
        answer = self.complete(n_probs=3, temperature=0, n_predict=4)
        self.assertEqual(len(answer["completion_probabilities"]), 4)
        for one in answer["completion_probabilities"]:
            self.assertEqual(one["id"], one["top_logprobs"][0]["id"])
            self.assertEqual(len(one["top_logprobs"]), 3)
        self.assertEqual(self.complete(logprobs=3, temperature=0, n_predict=4)["completion_probabilities"],
                         answer["completion_probabilities"])
        self.refused("/completion", {"prompt": PROMPT, "n_probs": 1001}, param="n_probs")

    def test_probabilities_after_sampling(self):
        body = {"temperature": 0.8, "top_k": 4, "top_p": 1, "min_p": 0, "seed": 1, "n_predict": 12, "n_probs": 10,
                "repeat_penalty": 1.1, "ignore_eos": True}
        answer = self.complete(post_sampling_probs=True, **body)
        self.assertEqual(answer["content"], self.complete(**dict(body, n_probs=0))["content"])
        self.assertIs(answer["generation_settings"]["post_sampling_probs"], True)
        self.assertEqual(len(answer["completion_probabilities"]), 12)
        for one in answer["completion_probabilities"]:
            self.assertEqual(set(one), {"id", "token", "bytes", "prob", "top_probs"})
            best = [other["prob"] for other in one["top_probs"]]
            self.assertEqual(len(best), 4)  # what top_k leaves
            self.assertEqual(best, sorted(best, reverse=True))
            self.assertAlmostEqual(sum(best), 1, 6)
            self.assertIn((one["id"], one["prob"]), [(other["id"], other["prob"]) for other in one["top_probs"]])
        # Greedy: one token, certainly. A grammar: the tokens that it allows.
        for one in self.complete(post_sampling_probs=True, **dict(body, temperature=0))["completion_probabilities"]:
            self.assertEqual([(other["id"], other["prob"]) for other in one["top_probs"]], [(one["id"], 1)])
        grammar = self.complete(post_sampling_probs=True, grammar='root ::= " big" | " red"',
                                **dict(body, top_k=0, ignore_eos=False))["completion_probabilities"]
        self.assertLessEqual({other["token"] for other in grammar[0]["top_probs"]},
                             {word[:n] for word in (" big", " red") for n in range(1, 5)})
        self.assertAlmostEqual(sum(other["prob"] for other in grammar[0]["top_probs"]), 1, 6)
        events = [event for _, event in
                  self.server.stream("/completion", dict(body, prompt=PROMPT, post_sampling_probs=True))]
        streamed = [one for event in events for one in event.get("completion_probabilities", [])]
        self.assertEqual(streamed, answer["completion_probabilities"])

    def test_several_answers(self):
        alone = [self.complete(seed=seed) for seed in (3, 4)]
        both = self.complete(n_cmpl=2, seed=3)
        self.assertEqual([(one["index"], one["content"], one["generation_settings"]["seed"]) for one in both],
                         [(0, alone[0]["content"], 3), (1, alone[1]["content"], 4)])

    def test_samplers_that_are_not_there(self):
        off = {"typical_p": 1, "mirostat": 0, "dry_multiplier": 0, "xtc_probability": 0, "top_n_sigma": -1,
               "dynatemp_range": 0, "min_keep": 0, "t_max_predict_ms": -1, "n_indent": 0}
        self.assertEqual(self.complete(**off)["content"], self.complete()["content"])
        for name, value in {"typical_p": 0.9, "mirostat": 2, "dry_multiplier": 0.8, "min_keep": 2}.items():
            self.refused("/completion", {"prompt": PROMPT, name: value}, param=name)

    def test_prompts_of_ids_and_texts(self):
        ids = self.server.post("/tokenize", {"content": PROMPT, "add_special": True})["tokens"]
        more = self.server.post("/tokenize", {"content": " little dog"})["tokens"]
        whole = self.complete(prompt=ids + more, temperature=0)["content"]
        self.assertEqual(self.complete(prompt=[*ids, " little dog"], temperature=0)["content"], whole)
        several = self.complete(prompt=[[*ids, " little dog"], {"prompt_string": PROMPT}], temperature=0)
        self.assertEqual([answer["content"] for answer in several], [whole, self.complete(temperature=0)["content"]])
        self.refused("/completion", {"prompt": ["a", {"content": 3}]}, param="prompt[1].content")

    def test_stream_tells_tokens_progress_and_times(self):
        body = {"prompt": "The dog and the cat ran to the river. " * 12, "n_predict": 4, "temperature": 0,
                "return_progress": True, "timings_per_token": True, "cache_prompt": False}
        events = [event for _, event in self.server.stream("/completion", body)]
        reading = [event for event in events if "prompt_progress" in event]
        self.assertGreater(len(reading), 1)
        self.assertEqual((reading[0]["prompt_progress"]["processed"], reading[0]["timings"]["prompt_ms"]), (0, 0))
        self.assertEqual(reading[-1]["prompt_progress"]["processed"], reading[-1]["prompt_progress"]["total"])
        written = [event for event in events if event.get("tokens") and not event["stop"]]
        self.assertEqual([event["timings"]["predicted_n"] for event in written], [1, 2, 3, 4])
        self.assertEqual([event["tokens_predicted"] for event in written], [1, 2, 3, 4])
        quiet = self.server.stream("/completion", dict(body, return_progress=False, timings_per_token=False))
        self.assertFalse([e for _, e in quiet if "prompt_progress" in e or ("timings" in e and not e["stop"])])
        chat = {"messages": [{"role": "user", "content": body["prompt"]}], "max_tokens": 3, "return_progress": True}
        self.assertTrue([e for _, e in self.server.stream("/v1/chat/completions", chat) if "prompt_progress" in e])
        text = dict(body, max_tokens=3)
        self.assertTrue([e for _, e in self.server.stream("/v1/completions", text) if "prompt_progress" in e])
        response = {"input": body["prompt"], "max_output_tokens": 3, "return_progress": True, "timings_per_token": True}
        events = self.server.stream("/v1/responses", response)
        self.assertTrue([e for name, e in events if name == "response.in_progress" and "prompt_progress" in e])
        self.assertTrue([e for name, e in events if name == "response.output_text.delta" and "timings" in e])

    def test_rows_of_each_token(self):
        ids = self.server.post("/tokenize", {"content": "A dog ran.", "add_special": True})["tokens"]
        rows = self.server.post("/embedding", {"content": "A dog ran.", "pooling": "none"})[0]["embedding"]
        self.assertEqual(len(rows), len(ids))
        norm = math.sqrt(math.fsum(x * x for x in rows[-1]))
        last = self.server.post("/embedding", {"input": "A dog ran.", "pooling": "last"})[0]["embedding"]
        for x, y in zip(rows[-1], last[0]):
            self.assertAlmostEqual(x / norm, y, 5)
        openais = self.server.post("/v1/embeddings", {"input": [ids], "pooling": "last"})
        self.assertEqual(openais["data"][0]["embedding"], last[0])
        self.refused("/v1/embeddings", {"input": "a", "pooling": "none"}, param="pooling")
        self.refused("/embedding", {"input": "a", "embd_normalize": 1}, param="embd_normalize")

    def test_a_prompt_that_is_too_long(self):
        _, answer, _ = self.server.ask("POST", "/completion", {"prompt": "word " * 5000})
        error = answer["error"]
        self.assertEqual((error["type"], error["code"]), ("exceed_context_size_error", "context_length_exceeded"))
        self.assertGreater(error["n_prompt_tokens"], error["n_ctx"])
        self.assertEqual(error["n_ctx"], self.server.get("/props")["default_generation_settings"]["n_ctx"])

    def test_metrics(self):
        self.complete(n_predict=3)
        for name in ("prompt_tokens_cached_total", "spec_decode_num_drafts_total",
                     "spec_decode_num_draft_tokens_total", "spec_decode_num_accepted_tokens_total"):
            self.assertGreaterEqual(self.server.metric("llamacpp:" + name), 0)
        accepted = [self.server.metric(f'llamacpp:spec_decode_num_accepted_tokens_per_pos_total{{position="{i}"}}')
                    for i in range(15)]
        self.assertEqual(sum(accepted), self.server.metric("llamacpp:spec_decode_num_accepted_tokens_total"))
        self.assertEqual(accepted, sorted(accepted, reverse=True))
        before = self.server.metric("llamacpp:n_decode_total")
        self.server.post("/v1/embeddings", {"input": "A dog ran."})
        end = time.monotonic() + TIMEOUT  # the step is counted just after its answer has gone out
        while self.server.metric("llamacpp:n_decode_total") == before:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)
        _, _, headers = self.server.ask("GET", "/metrics")
        self.assertGreater(int(headers["Process-Start-Time-Unix"]), 0)

    def test_origins_of_this_machine(self):
        server = Server("--cors", "localhost,https://a.example")
        for origin, allowed in (("http://localhost:3000", True), ("https://[::1]", True), ("https://a.example", True),
                                ("http://localhost.evil.example", False), ("http://localhost:", False)):
            status, _, headers = server.ask("OPTIONS", "/completion", headers={"Origin": origin})
            self.assertEqual((status, headers.get("Access-Control-Allow-Origin")), (200, origin if allowed else None))
            self.assertEqual(headers["Vary"], "Origin")
        server.stop()


if __name__ == "__main__":
    main()

"""Chat templates by flag, answers that have begun, counting tokens, as llama-server has them."""
import os
import tempfile

from server_process import Server, ServerTest, main

HELLO = {"role": "user", "content": "Hello"}
TEMPLATE = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"


class LlamaChat(ServerTest):
    flags = ("--chat-template", TEMPLATE)

    def render(self, messages, **more):
        return self.server.post("/apply-template", {"messages": messages, **more})["prompt"]

    def test_the_template_is_the_one_given(self):
        self.assertEqual(self.render([HELLO]), "[user] Hello\n[assistant]")
        self.assertEqual(self.render([HELLO], add_generation_prompt=False), "[user] Hello\n")
        self.assertEqual(self.server.get("/props")["chat_template"], TEMPLATE)

    def test_an_answer_that_has_begun_goes_on(self):
        begun = [HELLO, {"role": "assistant", "content": "Once upon"}]
        whole = "[user] Hello\n[assistant]Once upon"
        self.assertEqual(self.render(begun), whole)
        self.assertEqual(self.render(begun, continue_final_message=True, add_generation_prompt=False), whole)
        self.assertEqual(self.render(begun, continue_final_message=False),
                         "[user] Hello\n[assistant] Once upon\n[assistant]")
        body = {"messages": begun, "temperature": 0, "max_tokens": 8, "verbose": True}
        answer = self.server.post("/v1/chat/completions", body)
        self.assertEqual(answer["__verbose"]["prompt"], whole)
        text = answer["choices"][0]["message"]["content"]
        plain = self.server.post("/completion", {"prompt": whole, "n_predict": 8, "temperature": 0, "top_k": 0})
        self.assertEqual(text, plain["content"])
        self.assertNotIn("__verbose", self.server.post("/v1/chat/completions", dict(body, verbose=False)))
        claude = {"messages": begun, "temperature": 0, "max_tokens": 8}
        self.assertEqual(self.server.post("/v1/messages", claude)["content"][0]["text"], text)
        self.refused("/v1/chat/completions", {"messages": [HELLO], "continue_final_message": True},
                     param="continue_final_message")

    def test_tokens_are_counted(self):
        body = {"messages": [HELLO]}
        ids = self.server.post("/tokenize", {"content": self.render([HELLO]), "add_special": True})["tokens"]
        for path in ("/v1/chat/completions/input_tokens", "/v1/messages/count_tokens"):
            self.assertEqual(self.server.post(path, body)["input_tokens"], len(ids), path)
        self.assertEqual(self.server.post("/v1/responses/input_tokens", {"input": "Hello"})["input_tokens"], len(ids))
        start = self.server.stream("/v1/messages", dict(body, max_tokens=2))[0][1]
        self.assertEqual(start["message"]["usage"]["input_tokens"], len(ids))

    def test_templates_from_files_and_by_name(self):
        with tempfile.NamedTemporaryFile("w", suffix=".jinja") as file:
            file.write("Q: {{ messages[-1].content }} A:")
            file.flush()
            server = Server(environment={"LLAMA_ARG_CHAT_TEMPLATE_FILE": file.name})
            self.assertEqual(server.post("/apply-template", {"messages": [HELLO]})["prompt"], "Q: Hello A:")
            server.stop()
        server = Server("--chat-template", "llama3")
        prompt = server.post("/apply-template", {"messages": [HELLO]})["prompt"]
        self.assertTrue(prompt.endswith("Hello<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"), prompt)
        # The story model knows no such markers: said once, and text to it.
        answer = server.post("/v1/chat/completions", {"messages": [HELLO], "max_tokens": 2})
        self.assertEqual(answer["usage"]["completion_tokens"], 2)
        server.stop()
        self.assertIn("it will be text to the model", "".join(server.errors))
        for flags, part in ((("--chat-template", "vicuna"), "chatml, llama3"),
                            (("--chat-template", "{% if"), "chat template"),
                            (("--chat-template-file", os.devnull), "expected a chat template, found nothing"),
                            (("--pooling", "max"), "mean, last or none"),
                            (("--temp", "-1"), "temperature")):
            with self.assertRaisesRegex(RuntimeError, part):
                Server(*flags).stop()


if __name__ == "__main__":
    main()

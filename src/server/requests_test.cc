// Requests as clients send them: what is read, and what is said about mistakes.

#include <gtest/gtest.h>

#include <limits>

#include "server/chat_request.h"
#include "server/completion_request.h"
#include "server/generation_settings.h"

namespace headway::server {
namespace {

Json Body(const std::string& text) {
  const auto body = ParseJsonText(text);
  EXPECT_TRUE(body) << body.error().message;
  return body ? *body : Json();
}

constexpr const char* kHello = R"("messages": [{"role": "user", "content": "Hello"}])";

Parsed<ChatRequest> Chat(const std::string& more) {
  return ParseChatCompletion(
      Body(std::string("{") + kHello + (more.empty() ? "" : ", ") + more + "}"));
}

// The request is refused, naming that field.
template <class T>
void ExpectRefused(const Parsed<T>& request, const std::string& param, const std::string& part) {
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().status, 400);
  EXPECT_EQ(request.error().param, param);
  EXPECT_NE(request.error().message.find(part), std::string::npos) << request.error().message;
}

TEST(ChatCompletionRequest, HasOpenAisDefaults) {
  const auto request = Chat("");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->messages.size(), 1U);
  EXPECT_EQ(request->messages[0].content, "Hello");
  EXPECT_EQ(request->options.sampling.temperature, 1.0F);
  EXPECT_EQ(request->options.sampling.top_p, 1.0F);
  EXPECT_EQ(request->options.max_tokens, -1);
  EXPECT_EQ(request->options.num_choices, 1);
  EXPECT_FALSE(request->options.stream);
  EXPECT_FALSE(request->options.has_seed);
}

TEST(ChatCompletionRequest, TellsOfEachTokenWhenAsked) {
  EXPECT_FALSE(Chat("")->options.token_facts);
  const auto request = Chat(R"("headway": {"per_token": true, "unknown": 1})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_TRUE(request->options.token_facts);
  EXPECT_FALSE(request->options.logprobs);
  ExpectRefused(Chat(R"("headway": {"per_token": 1})"), "headway.per_token", "found 1");
  ExpectRefused(Chat(R"("headway": true)"), "headway", "object");
}

TEST(ChatCompletionRequest, ReadsWhatItIsGiven) {
  const auto request = Chat(
      R"("temperature": 0.5, "top_p": 0.9, "top_k": 5, "min_p": 0.1, "seed": 7, "n": 3,
         "max_tokens": 10, "max_completion_tokens": 20, "stop": ["a", "b"], "stream": true,
         "stream_options": {"include_usage": true}, "logprobs": true, "top_logprobs": 4,
         "logit_bias": {"12": -100, "13": 1.5}, "repeat_penalty": 1.2, "unknown": {"x": 1},
         "user": "someone")");
  ASSERT_TRUE(request) << request.error().message;
  const GenerationOptions& options = request->options;
  EXPECT_EQ(options.sampling.temperature, 0.5F);
  EXPECT_EQ(options.sampling.top_k, 5);
  EXPECT_TRUE(options.has_seed);
  EXPECT_EQ(options.sampling.seed, 7U);
  EXPECT_EQ(options.max_tokens, 20);
  EXPECT_EQ(options.num_choices, 3);
  EXPECT_EQ(options.stop, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(options.stream && options.include_usage && options.logprobs);
  EXPECT_EQ(options.top_logprobs, 4);
  ASSERT_EQ(options.sampling.logit_bias.size(), 2U);
  EXPECT_EQ(options.sampling.logit_bias[1], (std::pair<int32_t, float>{13, 1.5F}));
}

TEST(ChatCompletionRequest, NullIsAbsent) {
  const auto request = Chat(R"("temperature": null, "stop": null, "n": null, "tools": null)");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->options.sampling.temperature, 1.0F);
}

TEST(ChatCompletionRequest, NamesTheFieldThatIsWrong) {
  ExpectRefused(ParseChatCompletion(Body("{}")), "messages", "found none");
  ExpectRefused(ParseChatCompletion(Body("[]")), "", "expected an object, found an array");
  ExpectRefused(ParseChatCompletion(Body(R"({"messages": []})")), "messages", "at least one");
  ExpectRefused(ParseChatCompletion(Body(R"({"messages": [{"role": "wizard", "content": ""}]})")),
                "messages[0].role", "wizard");
  ExpectRefused(ParseChatCompletion(Body(R"({"messages": [{"role": "user"}]})")),
                "messages[0].content", "none");
  ExpectRefused(
      ParseChatCompletion(Body(
          R"({"messages": [{"role": "user", "content": [{"type": "image_url", "text": "x"}]}]})")),
      "messages[0].content[0].type", "image_url");
  ExpectRefused(Chat(R"("temperature": "hot")"), "temperature", "expected a number");
  ExpectRefused(Chat(R"("temperature": -1)"), "temperature", "found -1");
  ExpectRefused(Chat(R"("top_p": 2)"), "top_p", "found 2");
  ExpectRefused(Chat(R"("max_tokens": 1.5)"), "max_tokens", "whole number");
  ExpectRefused(Chat(R"("n": 0)"), "n", "found 0");
  ExpectRefused(Chat(R"("stream": 1)"), "stream", "boolean");
  ExpectRefused(Chat(R"("stop": [1])"), "stop", "strings");
  ExpectRefused(Chat(R"("seed": "x")"), "seed", "whole number");
  ExpectRefused(Chat(R"("logit_bias": {"-3": 1})"), "logit_bias", "ids");
  ExpectRefused(Chat(R"("logit_bias": [3])"), "logit_bias", "pairs");
  ExpectRefused(Chat(R"("logit_bias": [[{}, 3]])"), "logit_bias", "ids");
  ExpectRefused(Chat(R"("logit_bias": {"word": 1e9})"), "logit_bias", "larger");
  ExpectRefused(Chat(R"("top_logprobs": 3)"), "logprobs", "beside top_logprobs");
  ExpectRefused(Chat(R"("frequency_penalty": 3)"), "frequency_penalty", "found 3");
  ExpectRefused(Chat(R"("repeat_penalty": 0)"), "repeat_penalty", "positive");
  ExpectRefused(Chat(R"("stream_options": 3)"), "stream_options", "object");
  ExpectRefused(Chat(R"("response_format": {"type": "xml"})"), "response_format.type", "xml");
  ExpectRefused(Chat(R"("response_format": {"type": "json_schema"})"),
                "response_format.json_schema.schema", "schema");
}

TEST(ChatCompletionRequest, BiasesTexts) {
  const auto request = Chat(R"("logit_bias": [[" the", -2.5], [7, false], ["x", false]])");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->options.text_biases,
            (std::vector<std::pair<std::string, float>>{
                {" the", -2.5F}, {"x", -std::numeric_limits<float>::infinity()}}));
  EXPECT_EQ(request->options.sampling.logit_bias.size(), 1U);
  EXPECT_EQ(Chat(R"("logit_bias": {" the": 1})")->options.text_biases.size(), 1U);
}

Parsed<ChatRequest> Turns(const std::string& roles, const std::string& more = "") {
  Json body = Body("{" + (more.empty() ? "\"x\": 1" : more) + "}");
  body["messages"] = Json::array();
  for (const char role : roles) {
    Json message = {{"role", role == 'u' ? "user" : "assistant"}, {"content", "text"}};
    if (role == 'c')
      message["tool_calls"] = Json::array({{{"function", {{"name", "f"}, {"arguments", "{}"}}}}});
    body["messages"].push_back(std::move(message));
  }
  return ParseChatCompletion(body);
}

TEST(ChatCompletionRequest, AnAssistantsMessageAtTheEndIsGoneOnWith) {
  EXPECT_FALSE(Turns("u")->continues_last);
  EXPECT_TRUE(Turns("u")->add_generation_prompt);
  EXPECT_TRUE(Turns("ua")->continues_last);
  EXPECT_FALSE(Turns("uc")->continues_last);
  EXPECT_FALSE(Turns("ua", R"("continue_final_message": false)")->continues_last);
  EXPECT_FALSE(Turns("ua", R"("add_generation_prompt": true)")->continues_last);
  EXPECT_FALSE(Turns("u", R"("add_generation_prompt": false)")->add_generation_prompt);
  const char* const kContinues = R"("continue_final_message": true)";
  EXPECT_TRUE(Turns("ua", kContinues)->continues_last);
  ExpectRefused(Turns("u", kContinues), "continue_final_message", "assistant");
  ExpectRefused(Turns("uc", kContinues), "continue_final_message", "in words");
  ExpectRefused(Turns("uaa"), "messages", "several");
  ExpectRefused(Turns("ua", R"("continue_final_message": true, "add_generation_prompt": true)"),
                "continue_final_message", "beside");
  EXPECT_FALSE(
      Turns("ua", R"("tools": [{"type": "function", "function": {"name": "f"}}])")->continues_last);
}

TEST(ChatCompletionRequest, JoinsPartsOfText) {
  const auto request = ParseChatCompletion(Body(
      R"({"messages": [{"role": "developer", "content": [{"type": "text", "text": "a"},
                                                          {"type": "text", "text": "b"}]}]})"));
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->messages[0].role, "system");
  EXPECT_EQ(request->messages[0].content, "a\nb");
}

TEST(ChatCompletionRequest, FormsAreOneAtMost) {
  const auto object = Chat(R"("response_format": {"type": "json_object"})");
  ASSERT_TRUE(object);
  EXPECT_EQ(object->options.form.kind, TextForm::Kind::kSchema);
  EXPECT_TRUE(object->options.form.unnamed_properties);
  const auto schema = Chat(
      R"("response_format": {"type": "json_schema",
                              "json_schema": {"name": "x", "schema": {"type": "integer"}}})");
  ASSERT_TRUE(schema);
  EXPECT_EQ(schema->options.form.text, R"({"type":"integer"})");
  ExpectRefused(Chat(R"("grammar": "root ::= \"a\"", "json_schema": {})"), "grammar", "several");
  EXPECT_FALSE(schema->options.form.free_white_space);
  EXPECT_TRUE(
      Chat(R"("json_schema": {}, "json_whitespace": "free")")->options.form.free_white_space);
  EXPECT_FALSE(
      Chat(R"("json_schema": {}, "json_whitespace": "canonical")")->options.form.free_white_space);
  ExpectRefused(Chat(R"("json_schema": {}, "json_whitespace": "some")"), "json_whitespace",
                "canonical or free");
  ExpectRefused(Chat(R"("json_whitespace": "free")"), "json_whitespace", "schema beside");
  ExpectRefused(Chat(R"("grammar": "root ::= \"a\"", "json_whitespace": "free")"),
                "json_whitespace", "schema beside");
  EXPECT_FALSE(schema->options.finish_within_budget.has_value());
  const auto cut = Chat(R"("finish_within_budget": false)");
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->options.finish_within_budget, false);
  ExpectRefused(Chat(R"("finish_within_budget": 1)"), "finish_within_budget", "boolean");
}

constexpr const char* kTools = R"("tools": [
    {"type": "function", "function": {"name": "add", "parameters": {
        "$defs": {"n": {"type": "integer"}}, "type": "object",
        "properties": {"a": {"$ref": "#/$defs/n"}}, "required": ["a"]}}},
    {"type": "function", "function": {"name": "stop"}}])";

TEST(Tools, BecomeASchemaOfTheAnswer) {
  const auto request = Chat(kTools);
  ASSERT_TRUE(request) << request.error().message;
  ASSERT_TRUE(request->tools.Active());
  const Json schema = Body(ToolsForm(request->tools).text);
  EXPECT_EQ(schema["$defs"]["tool_0"]["properties"]["a"]["$ref"], "#/$defs/tool_0/$defs/n");
  EXPECT_EQ(schema["anyOf"].size(), 2U);  // calls, or words
  const auto required = Chat(std::string(kTools) + R"(, "tool_choice": "required")");
  ASSERT_TRUE(required);
  EXPECT_EQ(Body(ToolsForm(required->tools).text)["anyOf"].size(), 1U);
  const auto none = Chat(std::string(kTools) + R"(, "tool_choice": "none")");
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->tools.Active());
}

TEST(Tools, OneMayBeNamed) {
  const auto named = Chat(std::string(kTools) +
                          R"(, "tool_choice": {"type": "function", "function": {"name": "stop"}})");
  ASSERT_TRUE(named) << named.error().message;
  ASSERT_EQ(named->tools.list.size(), 1U);
  EXPECT_EQ(named->tools.list[0].name, "stop");
  ExpectRefused(Chat(std::string(kTools) +
                     R"(, "tool_choice": {"type": "function", "function": {"name": "go"}})"),
                "tool_choice", "go");
  ExpectRefused(Chat(R"("tool_choice": "required")"), "tools", "none");
}

TEST(Tools, AnswersAreCallsOrWords) {
  const ToolAnswer calls = ParseToolAnswer(
      R"({"tool_calls": [{"name": "add", "arguments": {"a": 1}}, {"name": "stop", "arguments": {}}]})");
  ASSERT_EQ(calls.calls.size(), 2U);
  EXPECT_EQ(calls.calls[0].name, "add");
  EXPECT_EQ(calls.calls[0].arguments["a"], 1);
  EXPECT_EQ(calls.calls[1].text, "{}");
  const ToolAnswer exact = ParseToolAnswer(
      R"({"tool_calls": [{"arguments": {"a": [62519876543210987654, "},\"{"]} , "name": "x"}]})");
  ASSERT_EQ(exact.calls.size(), 1U);
  EXPECT_EQ(exact.calls[0].text, R"({"a": [62519876543210987654, "},\"{"]})");
  EXPECT_EQ(ParseToolAnswer(R"({"response": "Hello"})").content, "Hello");
  EXPECT_EQ(ParseToolAnswer(R"({"tool_calls": [{"na)").content, R"({"tool_calls": [{"na)");
  EXPECT_TRUE(ParseToolAnswer(R"({"tool_calls": [3]})").calls.empty());
}

TEST(CompletionRequest, TakesPromptsInEveryForm) {
  EXPECT_EQ(ParseOpenAiCompletion(Body(R"({"prompt": "a"})"))->prompts.size(), 1U);
  EXPECT_EQ(ParseOpenAiCompletion(Body(R"({"prompt": ["a", "b"]})"))->prompts.size(), 2U);
  const auto ids = ParseOpenAiCompletion(Body(R"({"prompt": [1, 2, 3]})"));
  ASSERT_EQ(ids->prompts.size(), 1U);
  EXPECT_EQ(ids->prompts[0].front().ids, (std::vector<int32_t>{1, 2, 3}));
  const auto mixed = ParseOpenAiCompletion(Body(R"({"prompt": [1, 2, "a", "b", 3]})"));
  ASSERT_EQ(mixed->prompts.size(), 1U);
  ASSERT_EQ(mixed->prompts[0].size(), 4U);
  EXPECT_EQ(mixed->prompts[0][0].ids, (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(mixed->prompts[0][2].text, "b");
  const auto objects = ParseOpenAiCompletion(Body(
      R"({"prompt": ["a", {"prompt_string": "b"}, [1, "c"],
                     {"content": [{"type": "text", "text": "d"}, {"type": "text", "text": "e"}]}]})"));
  ASSERT_TRUE(objects) << objects.error().message;
  ASSERT_EQ(objects->prompts.size(), 4U);
  EXPECT_EQ(objects->prompts[1].front().text, "b");
  EXPECT_EQ(objects->prompts[3].front().text, "de");
  EXPECT_EQ(ParseOpenAiCompletion(Body(R"({"prompt": [[1], [2, 3]]})"))->prompts.size(), 2U);
  EXPECT_EQ(ids->options.max_tokens, 16);
  ExpectRefused(ParseOpenAiCompletion(Body("{}")), "prompt", "none");
  ExpectRefused(ParseOpenAiCompletion(Body(R"({"prompt": [1, "a", -2]})")), "prompt", "number");
  ExpectRefused(ParseOpenAiCompletion(Body(R"({"prompt": {}})")), "prompt.prompt_string", "none");
  ExpectRefused(ParseOpenAiCompletion(Body(R"({"prompt": {"content": [{"type": "image_url"}]}})")),
                "prompt.content[0].type", "image_url");
  ExpectRefused(ParseOpenAiCompletion(
                    Body(R"({"prompt": {"prompt_string": "a", "multimodal_data": ["x"]}})")),
                "prompt.multimodal_data", "text alone");
  ExpectRefused(ParseOpenAiCompletion(Body(R"({"prompt": "a", "suffix": "b"})")), "suffix", "none");
  ExpectRefused(ParseOpenAiCompletion(Body(R"({"prompt": "a", "best_of": 3})")), "best_of", "3");
}

TEST(CompletionRequest, OfLlamaServerHasItsDefaults) {
  const auto request = ParseLlamaCompletion(Body(R"({"prompt": "a", "n_predict": 5})"));
  ASSERT_TRUE(request);
  EXPECT_EQ(request->options.sampling.top_k, 40);
  EXPECT_EQ(request->options.max_tokens, 5);
  ExpectRefused(ParseLlamaCompletion(Body(R"({"prompt": "a", "post_sampling_probs": 1})")),
                "post_sampling_probs", "a boolean");
  ExpectRefused(ParseLlamaCompletion(Body(R"({"prompt": "a", "n_cmpl": 0})")), "n_cmpl", "from 1");
  EXPECT_EQ(ParseLlamaCompletion(Body(R"({"prompt": "a", "logprobs": 2})"))->options.top_logprobs,
            2);
}

// In silence they would leave the client with another answer than it asked for.
TEST(CompletionRequest, SamplersThatAreNotThereAreRefusedUnlessOff) {
  for (const char* const off :
       {R"("mirostat": 0)", R"("typical_p": 1.0)", R"("xtc_probability": 0)", R"("min_keep": 1)",
        R"("dry_multiplier": 0.0)", R"("top_n_sigma": -1)", R"("t_max_predict_ms": -1)"})
    EXPECT_TRUE(Chat(off)) << off;
  ExpectRefused(Chat(R"("mirostat": 2)"), "mirostat", "found 2");
  ExpectRefused(Chat(R"("typical_p": 0.9)"), "typical_p", "off");
  ExpectRefused(Chat(R"("dry_multiplier": 0.8)"), "dry_multiplier", "0.8");
  ExpectRefused(Chat(R"("t_max_predict_ms": 100)"), "t_max_predict_ms", "100");
}

TEST(GenerationSettings, DefaultsYieldToTheRequest) {
  const Json defaults = {{"temperature", 0.5}, {"n_predict", 9}, {"seed", 4}};
  const auto plain = ParseLlamaCompletion(WithDefaults(Body(R"({"prompt": "a"})"), defaults));
  EXPECT_EQ(plain->options.max_tokens, 9);
  EXPECT_EQ(plain->options.sampling.temperature, 0.5F);
  const auto own = ParseLlamaCompletion(WithDefaults(
      Body(R"({"prompt": "a", "max_tokens": 3, "temperature": null, "seed": 5})"), defaults));
  EXPECT_EQ(own->options.max_tokens, 3);
  EXPECT_EQ(own->options.sampling.seed, 5U);
  EXPECT_EQ(own->options.sampling.temperature, 0.5F);
  EXPECT_TRUE(WithDefaults(Json(3), defaults).is_number());
}

TEST(GenerationSettings, FieldsAreFoundByTheirPaths) {
  const Json answer = {{"a", 1}, {"b", {{"c", 2}}}};
  EXPECT_EQ(OnlyFields(answer, {"a", "b/c", "d", "b/x", "a/b", ""}), (Json{{"a", 1}, {"b/c", 2}}));
}

TEST(MessagesRequest, IsAnthropics) {
  const auto request = ParseMessagesRequest(
      Body(R"({"max_tokens": 9, "system": [{"type": "text", "text": "Be brief."}],
               "stop_sequences": ["x"], "tools": [{"name": "add", "input_schema": {}}],
               "tool_choice": {"type": "any"}, "messages": [
                 {"role": "user", "content": "Hi"},
                 {"role": "assistant", "content": [{"type": "tool_use", "name": "add",
                                                    "input": {"a": 1}}]},
                 {"role": "user", "content": [{"type": "tool_result", "content": "2"}]}]})"),
      true);
  ASSERT_TRUE(request) << request.error().message;
  ASSERT_EQ(request->messages.size(), 4U);
  EXPECT_EQ(request->messages[0].role, "system");
  EXPECT_NE(request->messages[2].content.find("add"), std::string::npos);
  EXPECT_EQ(request->options.max_tokens, 9);
  ExpectRefused(ParseMessagesRequest(Body(std::string("{") + kHello + "}"), true), "max_tokens",
                "none");
  EXPECT_TRUE(ParseMessagesRequest(Body(std::string("{") + kHello + "}"), false));
}

TEST(MessagesRequest, GoesOnWithTheLastMessageAndForgetsThoughts) {
  const auto request = ParseMessagesRequest(Body(R"({"messages": [{"role": "user", "content": "Hi"},
                            {"role": "assistant", "content": [
                              {"type": "thinking", "thinking": "Hm.", "signature": "x"},
                              {"type": "text", "text": "Hel"}]}]})"),
                                            false);
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_TRUE(request->continues_last);
  EXPECT_EQ(request->messages.back().content, "Hel");
  ExpectRefused(
      ParseMessagesRequest(
          Body(R"({"messages": [{"role": "user", "content": [{"type": "image"}]}]})"), false),
      "messages[0].content[0].type", "image input is not supported");
}

TEST(ResponsesRequest, TakesTextsAndItems) {
  const auto text = ParseResponsesRequest(Body(R"({"input": "Hi", "instructions": "Be brief."})"));
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(text->messages.size(), 2U);
  const auto items = ParseResponsesRequest(Body(
      R"({"input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
                    {"type": "function_call", "name": "add", "arguments": "{}"},
                    {"type": "function_call_output", "output": "3"}],
          "text": {"format": {"type": "json_schema", "schema": {"type": "integer"}}}})"));
  ASSERT_TRUE(items) << items.error().message;
  EXPECT_EQ(items->messages.size(), 3U);
  EXPECT_EQ(items->options.form.text, R"({"type":"integer"})");
  const auto free = ParseResponsesRequest(Body(
      R"({"input": "Hi", "json_whitespace": "free",
          "text": {"format": {"type": "json_schema", "name": "x", "schema": {"type": "object"}}}})"));
  ASSERT_TRUE(free) << free.error().message;
  EXPECT_TRUE(free->options.form.free_white_space);
  ExpectRefused(ParseResponsesRequest(Body(R"({"input": "Hi", "json_whitespace": "free"})")),
                "json_whitespace", "schema beside");
  ExpectRefused(ParseResponsesRequest(Body("{}")), "input", "none");
  ExpectRefused(ParseResponsesRequest(Body(R"({"input": "a", "previous_response_id": "b"})")),
                "previous_response_id", "keeps no");
}

TEST(JsonText, SaysWhereItIsWrong) {
  const auto wrong = ParseJsonText("{\"a\": }");
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message.find("line 1"), std::string::npos) << wrong.error().message;
  EXPECT_FALSE(ParseJsonText(""));
  EXPECT_FALSE(ParseJsonText("{\"a\": \"\xff\"}"));
  EXPECT_FALSE(ParseJsonText(std::string(5000, '[')));
  EXPECT_FALSE(ParseJsonText(std::string(200, '[') + std::string(200, ']')));
  EXPECT_TRUE(ParseJsonText(std::string(100, '[') + std::string(100, ']')));
}

}  // namespace
}  // namespace headway::server

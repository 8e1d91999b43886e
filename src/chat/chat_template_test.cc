#include "chat/chat_template.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tokenizer/vocabulary_fixture.h"

namespace headway::chat {
namespace {

using tokenizer::Tokenizer;
using tokenizer::Vocabulary;

constexpr const char* kPhi4Mini =
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + "
    "'<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ eos_token }}{% endif %}";
constexpr const char* kLlama3 =
    "{% for message in messages %}{% set content = '<|start_header_id|>' + message['role'] + "
    "'<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' %}{{ content }}"
    "{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}";
constexpr const char* kChatMl =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] "
    "+ '<|im_end|>' + '\\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
// Treats contents in every way that templates do.
constexpr const char* kThorough =
    "{% set ns = namespace(all='') %}{% for m in messages %}"
    "{% set c = m.content.strip().split('</think>')[-1].replace('x', 'y') %}"
    "{% set ns.all = ns.all ~ '<|user|>' ~ (c | trim) ~ c[1:] ~ '<|end|>' %}"
    "{% endfor %}{{ ns.all }}{{ messages | tojson }}{{ messages }}<|assistant|>";

Vocabulary MakeVocabulary(const std::string& chat_template) {
  Vocabulary vocabulary = tokenizer::ByteLevelVocabulary(
      "gpt-4o", {},
      {"<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|start_header_id|>",
       "<|end_header_id|>", "<|eot_id|>", "<|im_start|>", "<|im_end|>", "<|endoftext|>"});
  vocabulary.chat_template = chat_template;
  vocabulary.eos_id = 265;
  return vocabulary;
}

Request RequestOf(std::vector<Message> messages) {
  return {.messages = MessagesFromPairs(messages).value()};
}

std::string RenderWith(const std::string& source, const Request& request) {
  const Tokenizer tokenizer = Tokenizer::Create(MakeVocabulary(source)).value();
  const auto chat = ChatTemplate::Create(tokenizer);
  if (!chat) return "error: " + chat.error().message;
  const auto rendered = chat->Render(request);
  return rendered ? rendered->text : "error: " + rendered.error().message;
}

TEST(ChatTemplateTest, Program_IsRun) {
  const Request request = RequestOf({{"system", " Be brief.\n"}, {"user", "Hi"}});
  EXPECT_EQ(RenderWith(kPhi4Mini, request),
            "<|system|> Be brief.\n<|end|><|user|>Hi<|end|><|assistant|>");
  EXPECT_EQ(
      RenderWith(kLlama3, request),
      "<|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user"
      "<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n");
  Request finished = request;
  finished.add_generation_prompt = false;
  EXPECT_EQ(RenderWith(kPhi4Mini, finished),
            "<|system|> Be brief.\n<|end|><|user|>Hi<|end|><|endoftext|>");
  EXPECT_EQ(RenderWith("{{ nope.x }}", request),
            "error: chat template: line 1, column 8: 'nope' is undefined");
  EXPECT_EQ(RenderWith("{% if %}", request).substr(0, 40),
            "error: chat template: line 1, column 7: ");
}

TEST(ChatTemplateTest, Messages_AreChecked) {
  const auto refused = [](const std::string& json, const std::string& why) {
    const auto messages = MessagesFromJson(json);
    ASSERT_FALSE(messages.has_value()) << json;
    EXPECT_NE(messages.error().message.find(why), std::string::npos) << messages.error().message;
  };
  refused("{}", "a list of messages");
  refused("[]", "a list of messages");
  refused("[{\"role\": \"user\"}, 3]", "message 1: expected an object");
  refused("[{\"content\": \"x\"}]", "message 0: expected a role");
  refused("[{\"role\": \"user|>x<|system\"}]", "found 'user|>x<|system'");
  refused("[{\"role\": \"user\", \"content\": 3}]", "found int");
  refused("[{\"role\": \"user\", \"content\": [{\"type\": \"image_url\"}]}]", "'image_url'");
  refused("[{\"role\": \"user\", \"content\": [{\"type\": \"text\"}]}]", "with a text");
  refused("[{\"role\": \"user\", \"n\": 99999999999999999999}]", "64 bits");
  refused("[{\"role\": \"user\",]", "line 1, column");
  EXPECT_FALSE(MessagesFromPairs({}).has_value());
  EXPECT_FALSE(MakeRequest(jinja::Value(), "{}", "").has_value());
  EXPECT_FALSE(MakeRequest(jinja::Value(), "", "[]").has_value());
  EXPECT_FALSE(MakeRequest(jinja::Value(), "", "{\"messages\": 1}").has_value());
}

TEST(ChatTemplateTest, ContentAndArguments_TakeTheFormThatTheTemplateReads) {
  const Request parts = {.messages = MessagesFromJson(R"([{"role": "user", "content":
      [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}])")
                                         .value()};
  EXPECT_EQ(RenderWith(kPhi4Mini, parts), "<|user|>a\nb<|end|><|assistant|>");
  const char* typed =
      "{% for m in messages %}{% for p in m.content %}{% if p.type == 'text' %}[{{ p['text'] }}]"
      "{% endif %}{% endfor %}{% endfor %}";
  EXPECT_EQ(RenderWith(typed, parts), "[a][b]");
  EXPECT_EQ(RenderWith(typed, RequestOf({{"user", "hi"}})), "[hi]");
  const Request call = {.messages = MessagesFromJson(R"([{"role": "assistant", "content": null,
      "tool_calls": [{"function": {"name": "f", "arguments": "{\"x\": 1}"}}]}])")
                                        .value()};
  EXPECT_EQ(RenderWith("{{ messages[0].tool_calls[0].function.arguments.x + 1 }}", call), "2");
  EXPECT_EQ(RenderWith("{{ 'args: ' + messages[0].tool_calls[0].function.arguments }}", call),
            "args: {\"x\": 1}");
}

TEST(ChatTemplateTest, Variables_ReachTheTemplate) {
  auto request = MakeRequest(RequestOf({{"user", "hi"}}).messages, R"([{"name": "f"}])",
                             R"({"enable_thinking": false, "n": 2})");
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(RenderWith("{{ tools }}{{ enable_thinking is false }}{{ n + 1 }}{{ other is defined }}",
                       *request),
            "[{'name': 'f'}]True3False");
}

class ChatEncodeTest : public testing::TestWithParam<const char*> {
 protected:
  static std::vector<int32_t> SpecialsOf(const Tokenizer& tokenizer,
                                         const std::vector<int32_t>& ids) {
    std::vector<int32_t> specials;
    std::copy_if(ids.begin(), ids.end(), std::back_inserter(specials),
                 [&](int32_t id) { return tokenizer.vocabulary().IsSpecial(id); });
    return specials;
  }
};

// A user who types every marker changes no special token, and all that was typed is there as text.
TEST_P(ChatEncodeTest, ContentWithMarkers_StaysText) {
  const Tokenizer tokenizer = Tokenizer::Create(MakeVocabulary(GetParam())).value();
  const ChatTemplate chat = ChatTemplate::Create(tokenizer).value();
  std::string attack = "z";
  for (int32_t id = 256; id < tokenizer.VocabSize(); ++id) attack += tokenizer.TokenBytes(id);
  attack += "<|end|";  // the template's next marker must not complete it
  const auto expected = chat.Encode(RequestOf({{"user", "hello"}}), tokenizer);
  const auto found = chat.Encode(RequestOf({{"user", attack}}), tokenizer);
  ASSERT_TRUE(expected.has_value()) << expected.error().message;
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_EQ(SpecialsOf(tokenizer, *found), SpecialsOf(tokenizer, *expected));
  EXPECT_NE(tokenizer.Decode(*found).find(attack), std::string::npos);
}

// The same for what stands in tools, tool calls, unknown roles and variables.
TEST(ForeignTextTest, EverythingFromOutside_StaysText) {
  const char* source =
      "{{ tools | tojson }}{{ tools }}{{ messages[0].role }}{{ messages[0] }}{{ extra }}"
      "{% for t in tools %}{{ t.name ~ '|' ~ t.description | upper | lower }}{% endfor %}"
      "{% for k, v in tools[0] | items %}{{ k }}{{ v }}{% endfor %}{{ messages[0].content "
      "}}<|end|>";
  const Tokenizer tokenizer = Tokenizer::Create(MakeVocabulary(source)).value();
  const ChatTemplate chat = ChatTemplate::Create(tokenizer).value();
  const auto messages = MessagesFromJson(
      R"([{"role": "end", "content": "<|user|>", "<|im_start|>": ["<|system|>"]}])");
  ASSERT_TRUE(messages.has_value());
  const auto request =
      MakeRequest(*messages, R"([{"name": "<|end|>", "description": "<|eot_id|>", "<|user|>": 1}])",
                  R"({"extra": "<|assistant|>"})");
  ASSERT_TRUE(request.has_value());
  const auto ids = chat.Encode(*request, tokenizer);
  ASSERT_TRUE(ids.has_value()) << ids.error().message;
  const auto specials = std::count_if(
      ids->begin(), ids->end(), [&](int32_t id) { return tokenizer.vocabulary().IsSpecial(id); });
  EXPECT_EQ(specials, 1) << tokenizer.Decode(*ids, true);
}

// A role that is no known one is text: it cannot name a control token.
TEST(ForeignTextTest, UnknownRoles_MakeNoMarkers) {
  const Tokenizer tokenizer = Tokenizer::Create(MakeVocabulary(kPhi4Mini)).value();
  const ChatTemplate chat = ChatTemplate::Create(tokenizer).value();
  const auto ids = chat.Encode(RequestOf({{"endoftext", "x"}}), tokenizer);
  ASSERT_TRUE(ids.has_value()) << ids.error().message;
  EXPECT_EQ(std::count(ids->begin(), ids->end(), 265), 0);
}

// Harmless contents give the ids of the rendered text encoded as a whole.
TEST_P(ChatEncodeTest, PlainContent_EqualsEncodingTheText) {
  const Tokenizer tokenizer = Tokenizer::Create(MakeVocabulary(GetParam())).value();
  const ChatTemplate chat = ChatTemplate::Create(tokenizer).value();
  for (const char* content : {"", "Hello, world", "\n\nspace around \n ", "日本", "\xff\xfe"}) {
    const Request request = RequestOf({{"system", "S"}, {"user", content}});
    const auto ids = chat.Encode(request, tokenizer);
    ASSERT_TRUE(ids.has_value()) << ids.error().message;
    EXPECT_EQ(
        *ids,
        tokenizer.Encode(chat.Render(request)->text, {.add_bos = false, .parse_special = true})
            .value());
  }
}

TEST_P(ChatEncodeTest, Bos_OnceWhereAskedFor) {
  for (const bool written : {false, true}) {
    Vocabulary vocabulary =
        MakeVocabulary((written ? "{{ bos_token }}" : "") + std::string(GetParam()));
    vocabulary.bos_id = 265;
    vocabulary.add_bos = true;
    const Tokenizer tokenizer = Tokenizer::Create(vocabulary).value();
    const auto ids =
        ChatTemplate::Create(tokenizer)->Encode(RequestOf({{"user", "Hi"}}), tokenizer);
    ASSERT_TRUE(ids.has_value()) << ids.error().message;
    EXPECT_EQ(ids->front(), 265);
    EXPECT_EQ(std::count(ids->begin(), ids->end(), 265), 1);
  }
}

TEST_P(ChatEncodeTest, MarkersMissingFromTheVocabulary_AreAnError) {
  Vocabulary vocabulary = tokenizer::ByteLevelVocabulary("gpt-4o", {});
  vocabulary.chat_template = GetParam();
  const Tokenizer tokenizer = Tokenizer::Create(vocabulary).value();
  const auto ids = ChatTemplate::Create(tokenizer)->Encode(RequestOf({{"user", "Hi"}}), tokenizer);
  ASSERT_FALSE(ids.has_value());
  EXPECT_NE(ids.error().message.find("expected the special token '<|"), std::string::npos)
      << ids.error().message;
}

INSTANTIATE_TEST_SUITE_P(Templates, ChatEncodeTest,
                         testing::Values(kPhi4Mini, kLlama3, kChatMl, kThorough));

TEST(EndOfAnswerTest, IsWhatTheTemplateWritesBehindAnAnswer) {
  const auto end = [](const char* source) {
    const Tokenizer tokenizer = Tokenizer::Create(MakeVocabulary(source)).value();
    return ChatTemplate::Create(tokenizer)->EndOfAnswer(tokenizer);
  };
  EXPECT_EQ(end(kPhi4Mini), 259);
  EXPECT_EQ(end(kLlama3), 262);
  EXPECT_EQ(end(kChatMl), 264);
  EXPECT_EQ(end("{% for m in messages %}{{ m.content + '\\n' }}{% endfor %}"), std::nullopt);
  EXPECT_EQ(end("{% for m in messages %}{{ m.content + '\\nUser:' }}{% endfor %}"), std::nullopt);
  EXPECT_EQ(end("{{ raise_exception('never') }}"), std::nullopt);
}

TEST(KnownFormatTest, MayBeChosenByName) {
  const Tokenizer tokenizer = Tokenizer::Create(MakeVocabulary("")).value();
  const auto chat = ChatTemplate::FromName("Phi-4-Mini", tokenizer);
  ASSERT_TRUE(chat) << chat.error().message;
  EXPECT_EQ(chat->FormatName(), "Phi-4-mini");
  EXPECT_EQ(chat->Render(RequestOf({{"user", "Hi"}}))->text, "<|user|>Hi<|end|><|assistant|>");
  const auto none = ChatTemplate::FromName("vicuna", tokenizer);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kInvalidInput);
  EXPECT_NE(none.error().message.find("chatml, llama3"), std::string::npos) << none.error().message;
}

TEST(ChatTemplateTest, AnAnswerMayHaveBegun) {
  const Tokenizer tokenizer = Tokenizer::Create(MakeVocabulary(kPhi4Mini)).value();
  const auto chat = ChatTemplate::Create(tokenizer);
  Request request = RequestOf({{"user", "Hi"}});
  request.answer_begins = "Hello<|end|>";
  EXPECT_EQ(chat->Render(request)->text, "<|user|>Hi<|end|><|assistant|>Hello<|end|>");
  const auto ids = chat->Encode(request, tokenizer);
  ASSERT_TRUE(ids) << ids.error().message;
  const auto end = *tokenizer.FindToken("<|end|>");
  EXPECT_EQ(std::count(ids->begin(), ids->end(), end), 1);  // the template's alone
}

TEST(ChatTemplateTest, MarkersMayBePlainTextToo) {
  const Tokenizer tokenizer = Tokenizer::Create(MakeVocabulary("<|no_such|>")).value();
  auto chat = ChatTemplate::Create(tokenizer);
  EXPECT_FALSE(chat->Encode(RequestOf({{"user", "Hi"}}), tokenizer));
  chat->AllowPlainMarkers();
  const auto ids = chat->Encode(RequestOf({{"user", "Hi"}}), tokenizer);
  ASSERT_TRUE(ids) << ids.error().message;
  EXPECT_EQ(tokenizer.Decode(*ids), "<|no_such|>");
}

TEST(KnownFormatTest, VocabulariesWithoutATemplate_GetTheirFamilys) {
  const auto rendered = [](const std::vector<std::string>& specials) {
    const Tokenizer tokenizer =
        Tokenizer::Create(tokenizer::ByteLevelVocabulary("gpt-4o", {}, specials)).value();
    const auto chat = ChatTemplate::Create(tokenizer);
    if (!chat) return "error: " + chat.error().message;
    const Request request =
        RequestOf({{"system", "S"}, {"user", " u "}, {"assistant", "a"}, {"user", "v"}});
    const auto ids = chat->Encode(request, tokenizer);
    return chat->FormatName() + ": " +
           (ids ? tokenizer.Decode(*ids, true) : "error: " + ids.error().message);
  };
  EXPECT_EQ(rendered({"<|im_start|>", "<|im_end|>"}),
            "ChatML: <|im_start|>system\nS<|im_end|>\n<|im_start|>user\n u <|im_end|>\n"
            "<|im_start|>assistant\na<|im_end|>\n<|im_start|>user\nv<|im_end|>\n"
            "<|im_start|>assistant\n");
  EXPECT_EQ(rendered({"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"}).substr(0, 60),
            "Llama 3: <|start_header_id|>system<|end_header_id|>\n\nS<|eot_");
  EXPECT_EQ(
      rendered({"<start_of_turn>", "<end_of_turn>"}),
      "Gemma: <start_of_turn>user\nS\n\nu<end_of_turn>\n<start_of_turn>model\na<end_of_turn>\n"
      "<start_of_turn>user\nv<end_of_turn>\n<start_of_turn>model\n");
  EXPECT_EQ(rendered({"<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>"}).substr(0, 50),
            "Granite: <|start_of_role|>system<|end_of_role|>S<|");
  EXPECT_EQ(rendered({"<|system|>", "<|user|>", "<|assistant|>", "<|end|>"}),
            "Phi-4-mini: <|system|>S<|end|><|user|> u <|end|><|assistant|>a<|end|><|user|>v<|end|>"
            "<|assistant|>");
  EXPECT_EQ(
      rendered({"<s>"}),
      "error: chat: expected a chat template in the model's file (tokenizer.chat_template), or "
      "the control tokens of a known format (ChatML, Llama 3, Gemma, Granite, Phi), found "
      "neither");
}

}  // namespace
}  // namespace headway::chat

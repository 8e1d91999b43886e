// libFuzzer target: any bytes as a chat template, run over a conversation whose foreign characters
// are from the private use area: they stay marked, whatever the template does.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "chat/json_values.h"
#include "jinja/template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t num_bytes) {
  using namespace headway;
  constexpr std::string_view kVariables = R"({"messages": [
      {"role": "system", "content": "\ue000 S "}, {"role": "user", "content": "a\ue001b, c\n"},
      {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "\ue002",
       "arguments": {"x": [1, 2.5, true], "y": "\ue003"}}}]}],
      "tools": [{"type": "function", "function": {"name": "f\ue004", "parameters": {}}}],
      "documents": null, "add_generation_prompt": true, "x": "\ue005 'z' ", "n": 3})";
  static const jinja::Value variables = chat::ValueFromJson(kVariables).value();
  const std::string_view source(reinterpret_cast<const char*>(input), num_bytes);
  if (source.find("\xEE\x80") != std::string_view::npos) return 0;
  const auto program = jinja::Template::Parse(source);
  if (!program) {
    HW_CHECK(!program.error().message.empty(), "a refusal says why");
    return 0;
  }
  const auto text =
      program->Render(variables.dict(), {}, {.steps = 20'000, .built_bytes = 1 << 20});
  if (!text) {
    HW_CHECK(!text.error().message.empty(), "a refusal says why");
    return 0;
  }
  size_t end = 0;
  for (const jinja::ByteSpan& span : text->ForeignSpans()) {
    HW_CHECK(span.begin < span.end && span.begin >= end && span.end <= text->bytes().size(),
             "spans are sorted and inside");
    end = span.end;
  }
  return 0;
}

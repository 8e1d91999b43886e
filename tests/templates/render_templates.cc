// Lines of JSON in, {"template": ..., "variables": "{...}"}; lines out, {"text": ...} or
// {"error": ...}. For tools/compare_templates.py.

#include <cstdio>
#include <iostream>
#include <string>

#include "chat/json_values.h"
#include "grammar/json_value.h"
#include "render_case.h"

namespace headway {
namespace {

Result<std::string> Answer(const std::string& line) {
  HW_TRY(const grammar::JsonValue request, grammar::ParseJson(line));
  const auto* source = request.Find("template");
  const auto* variables = request.Find("variables");
  if (source == nullptr || variables == nullptr)
    return Fail(ErrorCode::kInvalidInput, "expected a template and variables");
  HW_TRY(const jinja::Value values, chat::ValueFromJson(variables->text));
  HW_TRY(const jinja::Template program, jinja::Template::Parse(source->text));
  HW_TRY(const jinja::Text text, RenderCase(program, values.dict()));
  return text.bytes();
}

}  // namespace
}  // namespace headway

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const auto text = headway::Answer(line);
    std::printf("{\"%s\": %s}\n", text ? "text" : "error",
                headway::grammar::QuotedJson(text ? *text : text.error().message).c_str());
  }
  return 0;
}

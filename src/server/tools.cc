#include "server/tools.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace headway::server {
namespace {

constexpr size_t kMostTools = 128;
// In one answer. A small model that may go on calling does so until its tokens are used up.
constexpr int kMostCalls = 8;

// A schema that stands at `path` of a larger one: what it calls its root is that place now.
void MoveReferences(const std::string& path, Json* schema) {
  if (schema->is_array()) {
    for (Json& item : *schema) MoveReferences(path, &item);
  }
  if (!schema->is_object()) return;
  for (auto& [name, value] : schema->items()) {
    if (name == "$ref" && value.is_string() && value.get_ref<const std::string&>().starts_with("#"))
      value = "#" + path + value.get<std::string>().substr(1);
    MoveReferences(path, &value);
  }
}

Json ObjectOf(const std::string& name, Json schema) {
  return {{"type", "object"},
          {"properties", {{name, std::move(schema)}}},
          {"required", Json::array({name})},
          {"additionalProperties", false}};
}

// The texts of the values of the members "arguments" of the objects in the list of a tool answer, in
// order. `text` is JSON of that form: parsing it and writing it again would round long numbers.
std::vector<std::string_view> ArgumentTexts(std::string_view text) {
  constexpr int kDepth = 3;  // of the list's objects
  constexpr std::string_view kSpace = " \t\r\n";
  std::vector<std::string_view> found;
  int depth = 0;
  std::string_view key;                   // the last string at kDepth
  size_t value = std::string_view::npos;  // where that member's value begins
  const auto end_value = [&](size_t end) {
    if (value == std::string_view::npos || key != "arguments") return;
    const size_t last = text.find_last_not_of(kSpace, end - 1);
    found.push_back(text.substr(value, last + 1 - value));
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      const size_t first = i + 1;
      for (++i; i < text.size() && text[i] != '"'; ++i) i += size_t{text[i] == '\\'};
      if (depth == kDepth && value == std::string_view::npos) key = text.substr(first, i - first);
    } else if (c == ':' && depth == kDepth && value == std::string_view::npos) {
      value = text.find_first_not_of(kSpace, i + 1);
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']' || c == ',') {
      if (depth == kDepth) {
        end_value(i);
        value = std::string_view::npos;
      }
      depth -= c == ',' ? 0 : 1;
    }
  }
  return found;
}

}  // namespace

void ReadTools(Fields* fields, Tools* tools) {
  fields->Read("parallel_tool_calls", &tools->parallel);
  if (const Json* const list = fields->Find("tools"); list != nullptr) {
    if (!list->is_array()) return fields->Wrong("tools", "an array", KindOf(*list));
    for (size_t i = 0; i < list->size(); ++i) {
      const std::string where = fmt::format("tools[{}]", i);
      Fields outer((*list)[i], where);
      std::string type = "function";
      outer.Read("type", &type);
      if (type != "function") outer.Wrong("type", "function", type);
      // The responses API has the function's members right here.
      const Json* const function = outer.Find("function");
      Fields inner(function != nullptr ? *function : (*list)[i],
                   function != nullptr ? where + ".function" : where);
      Tool tool{.name = {}, .description = {}, .parameters = Json{{"type", "object"}}};
      inner.Read("name", &tool.name);
      inner.Read("description", &tool.description);
      if (tool.name.empty()) inner.Wrong("name", "a name", "none");
      if (const Json* const schema = inner.Find("parameters"); schema != nullptr) {
        if (!schema->is_object()) inner.Wrong("parameters", "a JSON schema", KindOf(*schema));
        tool.parameters = *schema;
      }
      for (Fields* one : {&outer, &inner}) {
        if (!one->Good()) return fields->Wrong(*one->Mistake());
      }
      tools->list.push_back(std::move(tool));
    }
  }
  const Json* const choice = fields->Find("tool_choice");
  if (choice == nullptr) return CheckToolChoice(fields, tools);
  if (choice->is_object()) {
    const auto function = choice->find("function");
    Fields named(function != choice->end() ? *function : *choice, "tool_choice");
    named.Read("name", &tools->only);
    if (tools->only.empty()) named.Wrong("name", "a function's name", "none");
    if (!named.Good()) return fields->Wrong(*named.Mistake());
    tools->choice = Tools::Choice::kRequired;
    return CheckToolChoice(fields, tools);
  }
  std::string word;
  fields->Read("tool_choice", &word);
  if (word == "none") {
    tools->choice = Tools::Choice::kNone;
  } else if (word == "required" || word == "any") {
    tools->choice = Tools::Choice::kRequired;
  } else if (word != "auto" && fields->Good()) {
    fields->Wrong("tool_choice", "none, auto, required or a function", word);
  }
  CheckToolChoice(fields, tools);
}

void CheckToolChoice(Fields* fields, Tools* tools) {
  if (tools->list.size() > kMostTools)
    return fields->Wrong("tools", fmt::format("at most {}", kMostTools), "more");
  if (tools->choice == Tools::Choice::kRequired && tools->list.empty())
    return fields->Wrong("tools", "at least one beside tool_choice", "none");
  if (tools->only.empty()) return;
  std::erase_if(tools->list, [&](const Tool& tool) { return tool.name != tools->only; });
  if (tools->list.empty()) fields->Wrong("tool_choice", "one of the tools", tools->only);
}

std::string ToolsPrompt(const Tools& tools) {
  std::string text = "You can call these tools:\n";
  for (const Tool& tool : tools.list) {
    text += JsonText({{"name", tool.name},
                      {"description", tool.description},
                      {"parameters", tool.parameters}}) +
            "\n";
  }
  text += "To call tools, answer {\"tool_calls\": [{\"name\": ..., \"arguments\": {...}}]}.";
  if (tools.choice == Tools::Choice::kAuto)
    text += " To answer without tools, answer {\"response\": \"...\"}.";
  return text;
}

TextForm ToolsForm(const Tools& tools) {
  Json definitions = Json::object();
  Json calls = Json::array();
  for (size_t i = 0; i < tools.list.size(); ++i) {
    const std::string name = fmt::format("tool_{}", i);
    Json parameters = tools.list[i].parameters;
    MoveReferences("/$defs/" + name, &parameters);
    definitions[name] = std::move(parameters);
    calls.push_back({{"type", "object"},
                     {"properties",
                      {{"name", {{"const", tools.list[i].name}}},
                       {"arguments", {{"$ref", "#/$defs/" + name}}}}},
                     {"required", Json::array({"name", "arguments"})},
                     {"additionalProperties", false}});
  }
  Json list = {{"type", "array"}, {"minItems", 1}, {"items", {{"anyOf", std::move(calls)}}}};
  list["maxItems"] = tools.parallel && tools.only.empty() ? kMostCalls : 1;
  Json answers = Json::array({ObjectOf("tool_calls", std::move(list))});
  if (tools.choice == Tools::Choice::kAuto)
    answers.push_back(ObjectOf("response", {{"type", "string"}}));
  return {.kind = TextForm::Kind::kSchema,
          .text = JsonText({{"$defs", std::move(definitions)}, {"anyOf", std::move(answers)}})};
}

ToolAnswer ParseToolAnswer(const std::string& text) {
  const auto json = ParseJsonText(text);
  if (!json || !json->is_object()) return {.content = text, .calls = {}};
  if (const auto words = json->find("response"); words != json->end() && words->is_string())
    return {.content = words->get<std::string>(), .calls = {}};
  ToolAnswer answer;
  const auto calls = json->find("tool_calls");
  if (calls == json->end() || !calls->is_array()) return {.content = text, .calls = {}};
  const std::vector<std::string_view> texts = ArgumentTexts(text);
  if (texts.size() != calls->size()) return {.content = text, .calls = {}};
  size_t i = 0;
  for (const Json& call : *calls) {
    if (!call.is_object() || !call.contains("name") || !call["name"].is_string() ||
        !call.contains("arguments"))
      return {.content = text, .calls = {}};
    answer.calls.push_back(
        {.name = call["name"], .arguments = call["arguments"], .text = std::string(texts[i++])});
  }
  return answer;
}

std::string CallsAsText(const std::vector<ToolCall>& calls) {
  Json list = Json::array();
  for (const ToolCall& call : calls)
    list.push_back({{"name", call.name}, {"arguments", call.arguments}});
  return JsonText({{"tool_calls", std::move(list)}});
}

std::string ResultAsText(const std::string& name, const std::string& content) {
  Json result = Json::object();
  if (!name.empty()) result["name"] = name;
  result["content"] = content;
  return JsonText({{"tool_result", std::move(result)}});
}

}  // namespace headway::server

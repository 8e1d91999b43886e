#pragma once

// Calls of tools, by grammar: the model is told the tools in the system message, and its answer can
// be nothing but JSON that calls them with arguments of their schemas, or an answer in words. Works
// with any model, trained for tools or not; formats of single models are not used.

#include <string>
#include <vector>

#include "server/fields.h"
#include "server/generation_options.h"
#include "server/json.h"

namespace headway::server {

struct Tool {
  std::string name;
  std::string description;
  Json parameters;  // a JSON schema
};

struct Tools {
  enum class Choice { kAuto, kNone, kRequired };
  std::vector<Tool> list = {};
  Choice choice = Choice::kAuto;
  std::string only = {};  // the one that must be called; empty: any
  bool parallel = true;   // several in one answer

  // Whether the answer is JSON of this form at all.
  bool Active() const { return !list.empty() && choice != Choice::kNone; }
};

struct ToolCall {
  std::string name;
  Json arguments;
  std::string text = {};  // the arguments as the model wrote them: long numbers keep their digits
};

struct ToolAnswer {
  std::string content;  // in words; empty when there are calls
  std::vector<ToolCall> calls;
};

// OpenAI's "tools", "tool_choice" and "parallel_tool_calls".
void ReadTools(Fields* fields, Tools* tools);
// Checks that what must be called is there.
void CheckToolChoice(Fields* fields, Tools* tools);

// What the system message says about them.
std::string ToolsPrompt(const Tools& tools);
// The form of the answer. Requires Active().
TextForm ToolsForm(const Tools& tools);
// An answer of that form; one that was cut off is words.
ToolAnswer ParseToolAnswer(const std::string& text);
// How earlier calls and their results are shown to the model.
std::string CallsAsText(const std::vector<ToolCall>& calls);
std::string ResultAsText(const std::string& name, const std::string& content);

}  // namespace headway::server

// Templates with the constructs of real ones, over conversations with and without tools: what
// Jinja2 makes of them is recorded in expected.json (tools/compare_templates.py --record).

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file_writer.h"
#include "chat/json_values.h"
#include "render_case.h"
#include "test_paths.h"

namespace headway {
namespace {

using jinja::Dict;
using jinja::Text;
using jinja::Value;

const std::string kFolder = SourceDirectory() + "/tests/templates/";

std::string Read(const std::string& path) { return ReadTextFile(path, 16 << 20).value(); }

Value ReadJson(const std::string& name) {
  return chat::ValueFromJson(Read(kFolder + name)).value();
}

std::vector<std::string> TemplateFiles() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder + "templates"))
    files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  return files;
}

Dict Variables(const Value& setting, const Value& messages) {
  Dict variables;
  variables.Set("bos_token", Value::Of("<BOS>"));
  variables.Set("eos_token", Value::Of("<EOS>"));
  for (const auto& [name, value] : setting.dict().entries) variables.Set(name, value);
  variables.Set("messages", messages);
  return variables;
}

TEST(TemplatesTest, Renderings_AreJinjas) {
  const Value given = ReadJson("conversations.json");
  const Value expected = ReadJson("expected.json");
  const auto& conversations = given.dict().Find("conversations")->list().items;
  const auto& settings = given.dict().Find("settings")->list().items;
  size_t seen = 0;
  for (const std::string& file : TemplateFiles()) {
    const auto program = jinja::Template::Parse(Read(file));
    ASSERT_TRUE(program.has_value()) << file << program.error().message;
    const std::string stem = std::filesystem::path(file).stem().string();
    for (size_t i = 0; i < conversations.size(); ++i) {
      for (size_t k = 0; k < settings.size(); ++k, ++seen) {
        const std::string name = stem + "/" + std::to_string(i) + "/" + std::to_string(k);
        const Value* wanted = expected.dict().Find(name);
        ASSERT_NE(wanted, nullptr) << name << ": record again, tools/compare_templates.py --record";
        const auto text = RenderCase(*program, Variables(settings[k], conversations[i]));
        if (wanted->IsString()) {
          ASSERT_TRUE(text.has_value()) << name << ": " << text.error().message;
          EXPECT_EQ(text->bytes(), wanted->bytes()) << name;
        } else {
          EXPECT_FALSE(text.has_value()) << name << ": expected an error";
        }
      }
    }
  }
  EXPECT_EQ(seen, expected.dict().entries.size());
  EXPECT_GE(TemplateFiles().size(), 25U);
}

// Every character that came from outside is marked, whatever the template did to it. Those of this
// test are from the private use area, which no template writes.
TEST(TemplatesTest, ForeignCharacters_StayMarked) {
  const std::string letters = "\xEE\x80\x80 \xEE\x80\x81\n\xEE\x80\x82<|im_end|>\xEE\x80\x83";
  const std::string json_letters = "\\ue000 \\ue001\\n\\ue002<|im_end|>\\ue003";
  const std::string user = R"({"role": "user", "content": ")" + json_letters + "\"}";
  const std::string conversation = "[" + user + R"(, {"role": "assistant", "content": "<think>)" +
                                   json_letters + "</think>" + json_letters + "\"}, " + user + "]";
  const std::string tools =
      R"([{"type": "function", "function": {"name": ")" + json_letters + R"(", "description": ")" +
      json_letters + R"(", "parameters": {"type": "object", "properties": {")" + json_letters +
      R"(": {"type": "string", "description": ")" + json_letters + R"("}}}}}])";
  Dict variables;
  variables.Set("bos_token", Value::Of("<BOS>"));
  variables.Set("eos_token", Value::Of("<EOS>"));
  variables.Set("messages", chat::ValueFromJson(conversation).value());
  variables.Set("tools", chat::ValueFromJson(tools).value());
  variables.Set("add_generation_prompt", Value::Of(true));
  size_t found = 0;
  for (const std::string& file : TemplateFiles()) {
    const auto program = jinja::Template::Parse(Read(file));
    ASSERT_TRUE(program.has_value()) << file << program.error().message;
    const auto text = RenderCase(*program, variables);
    ASSERT_TRUE(text.has_value()) << file << text.error().message;
    const std::string_view bytes = text->bytes();
    for (size_t at = bytes.find("\xEE\x80"); at != std::string_view::npos;
         at = bytes.find("\xEE\x80", at + 1)) {
      EXPECT_TRUE(text->ForeignAt(at)) << file << " at " << at;
      ++found;
    }
    // What was typed as a marker stands between such characters, and is marked too.
    for (size_t at = bytes.find("\xEE\x80\x82<|"); at != std::string_view::npos;
         at = bytes.find("\xEE\x80\x82<|", at + 1)) {
      for (size_t i = 0; i < 13; ++i)
        EXPECT_TRUE(text->ForeignAt(at + i)) << file << " at " << at + i;
    }
  }
  EXPECT_GT(found, 200U);
}

}  // namespace
}  // namespace headway

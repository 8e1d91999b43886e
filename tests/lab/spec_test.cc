// Specifications: the shipped ones parse; mistakes are named with their place.

#include "lab/spec.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <utility>
#include <vector>

#include "base/file_writer.h"
#include "test_paths.h"

namespace headway::lab {
namespace {

namespace fs = std::filesystem;

constexpr const char* kGood = R"({
  "name": "small", "title": "T", "intent": "I", "model": "m.gguf", "baseline": "a",
  "measure": {"metric": "step", "repeats": 3, "tokens": 4, "better_by_at_least": 0.05},
  "variants": [{"name": "a"}, {"name": "b", "head": "full:2", "batch_tokens": 4, "expect": "tied"}]})";

std::string Message(const std::string& text) {
  const auto spec = ParseSpec(text, "s.json");
  if (spec) return "";
  EXPECT_EQ(spec.error().code, ErrorCode::kInvalidInput);
  return spec.error().message;
}

std::string With(const std::string& from, const std::string& to) {
  std::string text = kGood;
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(SpecTest, Good_IsRead) {
  const auto spec = ParseSpec(kGood, "s.json");
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->metric, Metric::kStep);
  EXPECT_EQ(spec->repeats, 3);
  EXPECT_EQ(spec->warm_up, 2);
  EXPECT_DOUBLE_EQ(spec->at_least, 0.05);
  ASSERT_EQ(spec->variants.size(), 2U);
  EXPECT_EQ(spec->variants[0].head, "full:4");
  EXPECT_EQ(spec->variants[1].batch_tokens, 4);
}

TEST(SpecTest, Mistakes_AreNamedWithTheirPlace) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> cases = {
      {"", {"s.json: not JSON"}},
      {std::string(200000, '['), {"s.json: expected JSON of at most 64 levels"}},
      {"[]", {"s.json: expected an object"}},
      {"{}", {"expected the key 'name'"}},
      {With("\"title\": \"T\", ", ""), {"expected the key 'title'"}},
      {With("\"title\": \"T\"", "\"title\": 5"), {"title: expected text, found 5"}},
      {With("\"intent\"", "\"intend\""), {"expected the key 'intent'"}},
      {With("\"model\"", "\"extra\": 1, \"model\""), {"unknown key 'extra'", "known:"}},
      {With("\"small\"", "\"Small/..\""), {"name: expected small letters"}},
      {With("\"baseline\": \"a\"", "\"baseline\": \"z\""),
       {"baseline: expected one of a, b, found 'z'"}},
      {With("\"name\": \"b\"", "\"name\": \"a\""), {"found 'a' twice"}},
      {With("\"repeats\": 3", "\"repeats\": 0"),
       {"measure: repeats: expected a whole number from 1"}},
      {With("\"repeats\": 3", "\"repeats\": 2.5"), {"repeats", "found 2.5"}},
      {With("\"step\"", "\"speed\""),
       {"metric: expected one of head, layers, step, found \"speed\""}},
      {With("0.05", "1.5"), {"better_by_at_least: expected a number from 0 to below 1"}},
      {With("\"batch_tokens\": 4", "\"batch_tokens\": 99"), {"variants[1]: batch_tokens", "16"}},
      {With("\"tied\"", "\"fast\""), {"variants[1]: expect: expected one of better, tied, worse"}},
      {With("{\"name\": \"a\"}", "7"), {"variants[0]: expected an object"}},
  };
  for (const auto& [text, parts] : cases) {
    const std::string message = Message(text);
    for (const std::string& part : parts)
      EXPECT_NE(message.find(part), std::string::npos) << part << "\nmessage: " << message;
  }
}

TEST(SpecTest, EveryPrefix_IsRefusedNotCrashedOn) {
  const std::string text = kGood;
  for (size_t length = 0; length + 1 < text.size(); ++length)
    EXPECT_NE(Message(text.substr(0, length)), "") << length;
}

TEST(SpecTest, ShippedOnes_Parse) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(SourceDirectory()) / "lab")) {
    if (entry.path().extension() != ".json") continue;
    const auto text = ReadTextFile(entry.path().string(), 1 << 20);
    ASSERT_TRUE(text);
    const auto spec = ParseSpec(*text, entry.path().string());
    EXPECT_TRUE(spec) << spec.error().message;
    ++count;
  }
  EXPECT_GE(count, 3);
}

}  // namespace
}  // namespace headway::lab

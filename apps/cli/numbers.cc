#include "numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <optional>

#include "base/from_chars.h"

namespace headway::cli {
namespace {

bool IsSeparator(char c) { return c == ',' || c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

// Takes the next word, or nothing at the end.
std::optional<std::string_view> NextWord(std::string_view* text) {
  while (!text->empty() && IsSeparator(text->front())) text->remove_prefix(1);
  if (text->empty()) return std::nullopt;
  const auto end =
      static_cast<size_t>(std::find_if(text->begin(), text->end(), IsSeparator) - text->begin());
  const std::string_view word = text->substr(0, end);
  text->remove_prefix(end);
  return word;
}

template <class T>
bool Parse(std::string_view word, T* value) {
  const auto [end, error] = FromChars(word.data(), word.data() + word.size(), *value);
  return error == std::errc{} && end == word.data() + word.size();
}

}  // namespace

Result<std::vector<int32_t>> ParseIds(std::string_view text, const std::string& what) {
  std::vector<int32_t> ids;
  while (const auto word = NextWord(&text)) {
    int32_t id = 0;
    if (!Parse(*word, &id)) {
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("{}: expected token ids like 1,2,3, found '{}'", what, *word));
    }
    ids.push_back(id);
  }
  if (ids.empty())
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("{}: expected at least one token id, found none", what));
  return ids;
}

Result<std::vector<std::pair<int32_t, float>>> ParseLogitBias(std::string_view text) {
  std::vector<std::pair<int32_t, float>> biases;
  while (const auto word = NextWord(&text)) {
    const size_t colon = word->find(':');
    int32_t id = 0;
    float bias = 0.0F;
    if (colon == std::string_view::npos || !Parse(word->substr(0, colon), &id) ||
        !Parse(word->substr(colon + 1), &bias)) {
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("--logit-bias: expected ID:BIAS,..., found '{}'", *word));
    }
    biases.emplace_back(id, bias);
  }
  return biases;
}

LoadWeights ParseLoad(std::string_view text) {
  if (text == "map") return LoadWeights::kMap;
  return text == "copy" ? LoadWeights::kCopy : LoadWeights::kAuto;
}

KvType ParseKv(std::string_view text) { return text == "q8_0" ? KvType::kQ8_0 : KvType::kF16; }

std::string ForcedInstructionSet() {
  const char* const forced = std::getenv("HEADWAY_CPU");
  return forced == nullptr ? "" : forced;
}

std::string FormatBytes(double bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "kB", "MB", "GB", "TB"};
  size_t unit = 0;
  while (bytes >= 1000.0 && unit + 1 < kUnits.size()) {
    bytes /= 1000.0;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.3g} {}", bytes, kUnits[unit]);
}

std::string Plural(uint64_t count, const std::string& noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace headway::cli

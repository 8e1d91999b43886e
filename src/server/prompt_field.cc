#include "server/prompt_field.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace headway::server {
namespace {

bool IsId(const Json& value) {
  return value.is_number_integer() && value.get<int64_t>() >= 0 &&
         value.get<int64_t>() <= std::numeric_limits<int32_t>::max();
}

bool AreIds(const Json& value) {
  return value.is_array() && std::all_of(value.begin(), value.end(), IsId);
}

PromptPiece IdsOf(const Json& value) {
  PromptPiece piece{.is_text = false};
  for (const Json& id : value) piece.ids.push_back(static_cast<int32_t>(id.get<int64_t>()));
  return piece;
}

}  // namespace

std::vector<PromptPiece> ReadPrompts(Fields* fields, std::string_view name) {
  constexpr std::string_view kExpected = "a string, an array of token ids, or an array of either";
  const Json* const found = fields->Find(name);
  if (found == nullptr) {
    fields->Wrong(name, kExpected, "none");
    return {};
  }
  if (found->is_string()) return {{.text = found->get<std::string>()}};
  if (found->is_array() && !found->empty() && AreIds(*found)) return {IdsOf(*found)};
  std::vector<PromptPiece> pieces;
  if (!found->is_array() || found->empty()) {
    fields->Wrong(name, kExpected, found->is_array() ? "an empty one" : KindOf(*found));
    return {};
  }
  if (found->size() > kMostPrompts) {
    fields->Wrong(name, fmt::format("at most {} of them", kMostPrompts),
                  fmt::format("{}", found->size()));
    return {};
  }
  for (const Json& item : *found) {
    if (item.is_string()) {
      pieces.push_back({.text = item.get<std::string>()});
    } else if (AreIds(item)) {
      pieces.push_back(IdsOf(item));
    } else {
      fields->Wrong(name, kExpected, KindOf(item));
      return {};
    }
  }
  return pieces;
}

Parsed<std::vector<int32_t>> EncodePiece(const tokenizer::Tokenizer& tokenizer,
                                         const PromptPiece& piece, const std::string& name) {
  if (piece.is_text) {
    const auto ids = tokenizer.Encode(piece.text, {.add_bos = true, .parse_special = true});
    if (!ids) return Refuse(FromError(ids.error(), name));
    return *ids;
  }
  for (const int32_t id : piece.ids) {
    if (id < tokenizer.VocabSize()) continue;
    return Refuse(BadField(
        name, fmt::format("{}: expected ids below {}, found {}", name, tokenizer.VocabSize(), id)));
  }
  return piece.ids;
}

}  // namespace headway::server

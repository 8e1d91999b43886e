#include "server/prompt_field.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace headway::server {
namespace {

bool IsId(const Json& value) {
  return value.is_number_integer() && value.get<int64_t>() >= 0 &&
         value.get<int64_t>() <= std::numeric_limits<int32_t>::max();
}

// An id, or a text.
PromptPart PartOf(const Json& value) {
  if (value.is_string()) return {.text = value.get<std::string>()};
  return {.ids = {static_cast<int32_t>(value.get<int64_t>())}, .is_text = false};
}

// A list of ids and texts as one prompt.
bool IsMixed(const Json& value) {
  return value.is_array() && std::all_of(value.begin(), value.end(), [](const Json& item) {
           return item.is_string() || IsId(item);
         });
}

PromptPiece MixedPiece(const Json& list) {
  PromptPiece piece;
  for (const Json& item : list) {
    PromptPart part = PartOf(item);
    if (!part.is_text && !piece.empty() && !piece.back().is_text) {
      piece.back().ids.push_back(part.ids.front());
    } else {
      piece.push_back(std::move(part));
    }
  }
  return piece;
}

// {"prompt_string": "..."} or {"content": [{"type": "text", "text": "..."}]}
PromptPiece ObjectPiece(const Json& object, const std::string& where, Fields* fields) {
  Fields inner(object, where);
  std::string text;
  if (inner.Has("multimodal_data"))
    inner.Wrong("multimodal_data", "none (this server reads text alone)", "some");
  if (inner.Has("prompt_string")) {
    inner.Read("prompt_string", &text);
  } else if (const Json* const content = inner.Find("content"); content == nullptr) {
    inner.Wrong("prompt_string", "a string, or content", "none");
  } else if (!content->is_array()) {
    inner.Wrong("content", "an array of parts", KindOf(*content));
  } else {
    for (size_t i = 0; i < content->size() && inner.Good(); ++i) {
      Fields part((*content)[i], fmt::format("{}.content[{}]", where, i));
      std::string type;
      std::string words;
      part.Read("type", &type);
      if (type != "text") part.Wrong("type", "text (this server reads no other parts)", type);
      part.Read("text", &words);
      text += words;
      if (!part.Good()) inner.Wrong(*part.Mistake());
    }
  }
  if (!inner.Good()) fields->Wrong(*inner.Mistake());
  return {{.text = std::move(text)}};
}

}  // namespace

std::vector<PromptPiece> ReadPrompts(Fields* fields, std::string_view name) {
  constexpr std::string_view kExpected =
      "a string, an array of token ids and strings, or an array of such";
  const Json* const found = fields->Find(name);
  if (found == nullptr) {
    fields->Wrong(name, kExpected, "none");
    return {};
  }
  if (found->is_string()) return {{PartOf(*found)}};
  if (found->is_object()) return {ObjectPiece(*found, fields->PathOf(name), fields)};
  if (!found->is_array() || found->empty()) {
    fields->Wrong(name, kExpected, found->is_array() ? "an empty one" : KindOf(*found));
    return {};
  }
  if (IsMixed(*found) && std::any_of(found->begin(), found->end(), IsId))
    return {MixedPiece(*found)};
  if (found->size() > kMostPrompts) {
    fields->Wrong(name, fmt::format("at most {} of them", kMostPrompts),
                  fmt::format("{}", found->size()));
    return {};
  }
  std::vector<PromptPiece> pieces;
  for (const Json& item : *found) {
    if (item.is_string()) {
      pieces.push_back({PartOf(item)});
    } else if (item.is_object()) {
      pieces.push_back(
          ObjectPiece(item, fmt::format("{}[{}]", fields->PathOf(name), pieces.size()), fields));
    } else if (IsMixed(item)) {
      pieces.push_back(MixedPiece(item));
    } else {
      fields->Wrong(name, kExpected, KindOf(item));
      return {};
    }
  }
  return pieces;
}

Parsed<std::vector<int32_t>> EncodePiece(const tokenizer::Tokenizer& tokenizer,
                                         const PromptPiece& piece, const std::string& name) {
  std::vector<int32_t> all;
  for (const PromptPart& part : piece) {
    if (part.is_text) {
      const bool first = &part == &piece.front();
      const auto ids = tokenizer.Encode(part.text, {.add_bos = first, .parse_special = true});
      if (!ids) return Refuse(FromError(ids.error(), name));
      all.insert(all.end(), ids->begin(), ids->end());
      continue;
    }
    for (const int32_t id : part.ids) {
      if (id < tokenizer.VocabSize()) continue;
      return Refuse(BadField(name, fmt::format("{}: expected ids below {}, found {}", name,
                                               tokenizer.VocabSize(), id)));
    }
    all.insert(all.end(), part.ids.begin(), part.ids.end());
  }
  return all;
}

std::string PieceText(const tokenizer::Tokenizer& tokenizer, const PromptPiece& piece) {
  std::string text;
  for (const PromptPart& part : piece)
    text += part.is_text ? part.text : tokenizer.Decode(part.ids);
  return text;
}

}  // namespace headway::server

#include "jinja/text_operations.h"

#include <algorithm>

#include "jinja/characters.h"

namespace headway::jinja {
namespace {

bool IsLineBreak(uint32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

// Runs of white space as separators.
std::vector<ByteSpan> Words(std::string_view text) {
  std::vector<ByteSpan> words;
  bool inside = false;
  for (size_t at = 0; at < text.size();) {
    const size_t size = CharacterBytes(text.substr(at));
    const bool space = IsSpace(CodePointOf(text.substr(at)));
    if (!space && !inside) words.push_back({at, at});
    if (!space) words.back().end = at + size;
    inside = !space;
    at += size;
  }
  return words;
}

}  // namespace

Text Stripped(const Text& text, const std::string* characters, bool left, bool right) {
  const std::string_view bytes = text.bytes();
  const auto goes = [&](std::string_view character) {
    if (characters == nullptr) return IsSpace(CodePointOf(character));
    for (std::string_view rest = *characters; !rest.empty();) {
      const size_t size = CharacterBytes(rest);
      if (rest.substr(0, size) == character) return true;
      rest.remove_prefix(size);
    }
    return false;
  };
  size_t begin = 0;
  while (left && begin < bytes.size()) {
    const size_t size = CharacterBytes(bytes.substr(begin));
    if (!goes(bytes.substr(begin, size))) break;
    begin += size;
  }
  size_t end = bytes.size();
  while (right && end > begin) {
    size_t last = end - 1;  // where the last character begins
    for (size_t back = 2; back <= 4 && end - begin >= back; ++back) {
      if (CharacterBytes(bytes.substr(end - back)) == back) last = end - back;
    }
    if (!goes(bytes.substr(last, end - last))) break;
    end = last;
  }
  return text.Slice(begin, end);
}

std::vector<ByteSpan> SplitSpans(std::string_view text, const std::string* separator, int64_t most,
                                 bool from_end) {
  std::vector<ByteSpan> pieces;
  if (separator == nullptr) {
    pieces = Words(text);
  } else {
    size_t begin = 0;
    // From the end, overlapping separators are found from there.
    if (from_end) {
      size_t end = text.size();
      for (int64_t cuts = 0; most < 0 || cuts < most; ++cuts) {
        if (end < separator->size()) break;
        const size_t at = text.rfind(*separator, end - separator->size());
        if (at == std::string_view::npos) break;
        pieces.push_back({at + separator->size(), end});
        end = at;
      }
      pieces.push_back({0, end});
      std::reverse(pieces.begin(), pieces.end());
      return pieces;
    }
    for (int64_t cuts = 0; most < 0 || cuts < most; ++cuts) {
      const size_t at = text.find(*separator, begin);
      if (at == std::string_view::npos) break;
      pieces.push_back({begin, at});
      begin = at + separator->size();
    }
    pieces.push_back({begin, text.size()});
    return pieces;
  }
  if (most < 0 || pieces.size() <= static_cast<size_t>(most) + 1) {
    // The rest after the last split keeps its white space at the far end only when it is cut short.
    if (most >= 0 && !pieces.empty() && pieces.size() == static_cast<size_t>(most) + 1) {
      if (from_end) {
        pieces.front().begin = 0;
      } else {
        pieces.back().end = text.size();
      }
    }
    return pieces;
  }
  const auto kept = static_cast<size_t>(most);
  if (from_end) {
    const ByteSpan rest = {0, pieces[pieces.size() - kept - 1].end};
    pieces.erase(pieces.begin(), pieces.end() - static_cast<int64_t>(kept));
    pieces.insert(pieces.begin(), rest);
  } else {
    const ByteSpan rest = {pieces[kept].begin, text.size()};
    pieces.resize(kept);
    pieces.push_back(rest);
  }
  return pieces;
}

std::vector<LineSpan> LineSpans(std::string_view text) {
  std::vector<LineSpan> lines;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const uint32_t c = CodePointOf(text.substr(at));
    size_t next = at + CharacterBytes(text.substr(at));
    if (IsLineBreak(c)) {
      if (c == '\r' && next < text.size() && text[next] == '\n') ++next;
      lines.push_back({begin, at, next});
      begin = next;
    }
    at = next;
  }
  if (begin < text.size()) lines.push_back({begin, text.size(), text.size()});
  return lines;
}

Result<Text> Replaced(const Text& text, const std::string& from, const Text& to, int64_t most,
                      Budget* budget) {
  const std::string& bytes = text.bytes();
  HW_TRY_VOID(budget->Step(static_cast<int64_t>(bytes.size() / 16)));
  HW_TRY_VOID(budget->Build(bytes.size()));
  Text result;
  size_t done = 0;
  const auto put = [&](bool foreign) -> Result<void> {
    HW_TRY_VOID(budget->Build(to.bytes().size()));
    if (foreign) {
      result.Append(to.bytes(), true);
    } else {
      result.Append(to);
    }
    return {};
  };
  size_t at = 0;
  for (int64_t count = 0; most < 0 || count < most; ++count) {
    if (from.empty()) {  // between all characters
      if (at > bytes.size()) break;
      HW_TRY_VOID(put(text.AnyForeign(at == 0 ? 0 : at - 1, at + 1)));
      if (at == bytes.size()) break;
      const size_t next = at + CharacterBytes(std::string_view(bytes).substr(at));
      result.Append(text, at, next);
      done = at = next;
      continue;
    }
    at = bytes.find(from, at);
    if (at == std::string::npos) break;
    result.Append(text, done, at);
    HW_TRY_VOID(put(text.AnyForeign(at, at + from.size())));
    done = at = at + from.size();
  }
  if (done < bytes.size()) result.Append(text, done, bytes.size());
  return result;
}

bool IsAllCase(std::string_view text, bool upper) {
  bool any = false;
  for (; !text.empty(); text.remove_prefix(CharacterBytes(text))) {
    const uint32_t c = CodePointOf(text);
    if (upper ? IsLower(c) : IsUpper(c)) return false;
    any = any || (upper ? IsUpper(c) : IsLower(c));
  }
  return any;
}

}  // namespace headway::jinja

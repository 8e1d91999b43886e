#include "grammar/code_points.h"

#include <algorithm>

namespace headway::grammar {
namespace {

void AddSequences(CodeRange range, std::vector<std::vector<ByteRange>>* all) {
  if (range.first > range.last) return;
  // Same number of bytes throughout.
  for (const uint32_t border : {0x7FU, 0x7FFU, 0xFFFFU}) {
    if (range.first <= border && border < range.last) {
      AddSequences({range.first, border}, all);
      AddSequences({border + 1, range.last}, all);
      return;
    }
  }
  // Same leading bytes, or whole blocks of trailing ones.
  for (const uint32_t bits : {6U, 12U, 18U}) {
    const uint32_t low = (uint32_t{1} << bits) - 1;
    if (range.last <= 0x7F || (range.first & ~low) == (range.last & ~low)) continue;
    if ((range.first & low) != 0) {
      AddSequences({range.first, range.first | low}, all);
      AddSequences({(range.first | low) + 1, range.last}, all);
      return;
    }
    if ((range.last & low) != low) {
      AddSequences({range.first, (range.last & ~low) - 1}, all);
      AddSequences({range.last & ~low, range.last}, all);
      return;
    }
  }
  std::string first;
  std::string last;
  AppendUtf8(range.first, &first);
  AppendUtf8(range.last, &last);
  std::vector<ByteRange> sequence;
  for (size_t i = 0; i < first.size(); ++i)
    sequence.push_back({static_cast<uint8_t>(first[i]), static_cast<uint8_t>(last[i])});
  all->push_back(std::move(sequence));
}

}  // namespace

void AppendUtf8(uint32_t code_point, std::string* text) {
  const auto put = [text](uint32_t byte) { text->push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
    return;
  }
  const uint32_t bytes = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
  constexpr uint32_t kLead[] = {0, 0, 0xC0, 0xE0, 0xF0};
  put(kLead[bytes] | code_point >> 6 * (bytes - 1));
  for (uint32_t i = bytes - 1; i > 0; --i) put(0x80 | (code_point >> 6 * (i - 1) & 0x3F));
}

std::vector<std::vector<ByteRange>> Utf8Sequences(CodeRange range) {
  std::vector<std::vector<ByteRange>> all;
  range.last = std::min(range.last, kLastCodePoint);
  AddSequences({range.first, std::min(range.last, 0xD7FFU)}, &all);
  AddSequences({std::max(range.first, 0xE000U), range.last}, &all);
  return all;
}

std::vector<CodeRange> Complement(std::vector<CodeRange> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const CodeRange& a, const CodeRange& b) { return a.first < b.first; });
  std::vector<CodeRange> rest;
  uint32_t next = 0;
  for (const CodeRange& range : ranges) {
    if (range.first > next) rest.push_back({next, range.first - 1});
    next = std::max(next, range.last + 1);
  }
  if (next <= kLastCodePoint) rest.push_back({next, kLastCodePoint});
  return rest;
}

}  // namespace headway::grammar

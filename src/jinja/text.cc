#include "jinja/text.h"

#include <algorithm>

#include "base/utf8.h"

namespace headway::jinja {

Text::Text(std::string bytes, bool foreign) : bytes_(std::move(bytes)) {
  if (foreign) MarkForeign(0, bytes_.size());
}

void Text::MarkForeign(size_t begin, size_t end) {
  if (begin == end) return;
  if (!foreign_.empty() && foreign_.back().end == begin) {
    foreign_.back().end = end;
  } else {
    foreign_.push_back({begin, end});
  }
}

bool Text::ForeignAt(size_t byte) const { return AnyForeign(byte, byte + 1); }

bool Text::AnyForeign(size_t begin, size_t end) const {
  const auto behind = std::partition_point(foreign_.begin(), foreign_.end(),
                                           [&](const ByteSpan& span) { return span.end <= begin; });
  return behind != foreign_.end() && behind->begin < end;
}

void Text::Append(std::string_view bytes, bool foreign) {
  bytes_ += bytes;
  if (foreign) MarkForeign(bytes_.size() - bytes.size(), bytes_.size());
}

void Text::Append(const Text& other, size_t begin, size_t end) {
  const size_t start = bytes_.size();
  bytes_.append(other.bytes_, begin, end - begin);
  auto span = std::partition_point(other.foreign_.begin(), other.foreign_.end(),
                                   [&](const ByteSpan& s) { return s.end <= begin; });
  for (; span != other.foreign_.end() && span->begin < end; ++span)
    MarkForeign(start + std::max(span->begin, begin) - begin,
                start + std::min(span->end, end) - begin);
}

Text Text::Slice(size_t begin, size_t end) const {
  Text slice;
  slice.Append(*this, begin, end);
  return slice;
}

size_t CharacterBytes(std::string_view text) {
  if (text.empty()) return 0;
  if (static_cast<unsigned char>(text.front()) < 0x80) return 1;
  return std::max<size_t>(Utf8CharacterBytes(text), 1);
}

uint32_t CodePointOf(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  if (first < 0x80) return first;
  const size_t bytes = Utf8CharacterBytes(text);
  return bytes == 0 ? 0xFFFD : Utf8CodePoint(text, bytes);
}

size_t CountCharacters(std::string_view text) {
  size_t count = 0;
  for (; !text.empty(); ++count) text.remove_prefix(CharacterBytes(text));
  return count;
}

size_t ByteOfCharacter(std::string_view text, size_t index) {
  size_t at = 0;
  for (; index > 0 && at < text.size(); --index) at += CharacterBytes(text.substr(at));
  return at;
}

void AppendCharacter(uint32_t code_point, std::string* text) {
  const auto put = [&](uint32_t byte) { text->push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | code_point >> 6);
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3F));
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

bool IsSpace(uint32_t c) {
  if (c < 0x80) return (c >= 9 && c <= 13) || (c >= 28 && c <= 32);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

}  // namespace headway::jinja

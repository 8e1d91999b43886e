#pragma once

// A string that remembers which of its bytes came from outside the template: from a message, a
// tool's description, a variable. Every operation of the language carries the marks along, so that
// whoever renders a prompt knows which stretches may become control tokens (the template's own) and
// which may not, however they were cut and joined.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace headway::jinja {

struct ByteSpan {
  size_t begin = 0;
  size_t end = 0;
};

class Text {
 public:
  Text() = default;
  explicit Text(std::string bytes, bool foreign = false);

  const std::string& bytes() const { return bytes_; }
  // Sorted, not empty, neither overlapping nor touching.
  const std::vector<ByteSpan>& ForeignSpans() const { return foreign_; }
  bool ForeignAt(size_t byte) const;
  bool AnyForeign(size_t begin, size_t end) const;

  void Append(std::string_view bytes, bool foreign);
  void Append(const Text& other) { Append(other, 0, other.bytes_.size()); }
  void Append(const Text& other, size_t begin, size_t end);
  Text Slice(size_t begin, size_t end) const;

 private:
  void MarkForeign(size_t begin, size_t end);

  std::string bytes_;
  std::vector<ByteSpan> foreign_;
};

// Characters are code points; a byte outside valid UTF-8 counts as a character of its own.
size_t CharacterBytes(std::string_view text);  // at the start; 0 only for an empty text
uint32_t CodePointOf(std::string_view text);   // of the first character; U+FFFD for a stray byte
size_t CountCharacters(std::string_view text);
// The byte at which character `index` starts; the size of `text` from its end on.
size_t ByteOfCharacter(std::string_view text, size_t index);
void AppendCharacter(uint32_t code_point, std::string* text);

// What Python's str.isspace() says.
bool IsSpace(uint32_t code_point);

}  // namespace headway::jinja

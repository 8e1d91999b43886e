#pragma once

// The byte alphabet of byte-level BPE: every byte is written as one printable character, so that a
// vocabulary is readable text. Bytes that are printable in Latin-1 (0x21-0x7E, 0xA1-0xAC,
// 0xAE-0xFF) stand for themselves; the other 68 become U+0100, U+0101, ... in order, so space is
// U+0120. Source: GPT-2's encoder, bytes_to_unicode().

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace headway::tokenizer {

// The character for `byte`, as UTF-8.
std::string ByteAlphabetCharacter(uint8_t byte);

// Bytes -> alphabet.
std::string ToByteAlphabet(std::string_view bytes);

// Alphabet -> bytes; nothing when `text` holds a character outside the alphabet or is not UTF-8.
std::optional<std::string> FromByteAlphabet(std::string_view text);

}  // namespace headway::tokenizer

#pragma once

// UTF-8: how many of the next bytes form one valid character, or could
// still. Strict (Unicode 15, table 3-7): no overlong forms, no surrogates, nothing above U+10FFFF.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace headway {

// The number of bytes (1 to 4) of the valid character at the start of `text`, or 0 when there is
// none.
size_t Utf8CharacterBytes(std::string_view text);

// The length of the longest prefix of `text` that is valid UTF-8.
size_t Utf8ValidPrefixBytes(std::string_view text);

// True when `text` is a proper, non-empty beginning of a valid character that more bytes could
// complete.
bool Utf8IsIncomplete(std::string_view text);

// The length (at least 1) of the maximal stretch at the start of `text`, which does not start with
// a valid character, that is a proper beginning of one: what a decoder replaces by a single U+FFFD.
size_t Utf8IllFormedBytes(std::string_view text);

// The code point of the character at the start of `text`, whose length is `num_bytes` (from
// Utf8CharacterBytes, not 0).
uint32_t Utf8CodePoint(std::string_view text, size_t num_bytes);

}  // namespace headway

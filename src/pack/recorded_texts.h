#pragma once

// What models read when a package with a certified head is made: short texts in 29 languages, code,
// JSON, markup, chat, tables. Written for this; what the head's states have in common must not be
// what one kind of text has in common (docs/certified_head.md, "Recorded text").

#include <span>
#include <string_view>

namespace headway::pack {

// One of each kind; valid for ever.
std::span<const std::string_view> RecordedTexts();

// Part of the name of a cached package: other texts make other planes.
inline constexpr int kRecordedTextsVersion = 2;

}  // namespace headway::pack

#pragma once

// Keys of a file that say more than Headway does with them would give other logits without a word.
// Inside this folder only.

#include <span>
#include <string_view>

#include "base/result.h"
#include "gguf/gguf_file.h"

namespace headway::model {

// That every key of the architecture's namespace is one that all architectures read, one of `own`,
// one without effect on a token, or one that says "none" (0, false, an empty array). Errors:
// kUnsupported, naming the key and its value.
Result<void> CheckKeys(const gguf::GgufFile& file, std::string_view architecture,
                       std::span<const std::string_view> own);

}  // namespace headway::model

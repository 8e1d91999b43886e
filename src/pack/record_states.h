#pragma once

// What a model's head multiplies, for the planes of a certified head to choose their common
// directions by (lmhead/common_directions.h): the package under construction reads texts. Only
// with the full head, before any rotation is drawn, so that the states cannot depend on it.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "lmhead/common_directions.h"
#include "manifest/manifest.h"
#include "pack/pack.h"
#include "tokenizer/tokenizer.h"

namespace headway::pack {

// `manifest`: of the shards written into `directory` so far; its first head whose shards give
// logits is used; a package of a device that this machine only interprets gives none. States that
// are not finite give none, either. Of the options: usage_text, threads, show_progress, progress and
// cancelled_or_null. Errors: those of opening the shards; kCancelled.
Result<lmhead::RecordedStates> RecordStates(const std::string& directory, const Manifest& manifest,
                                            const PackOptions& options);

// What is read, a sequence of ids a text: about `budget` tokens of pack/recorded_texts.h, in equal
// parts, and when there is a `usage` text half as many of that; none longer than `longest`. Texts
// that the vocabulary spells byte by byte are left out (the model was not made for them), and of the
// others the words that it cannot spell. A vocabulary that can spell next to nothing gives ids from
// all over it.
std::vector<std::vector<int32_t>> RecordedIds(const tokenizer::Tokenizer& tokenizer,
                                              std::string_view usage, int64_t budget,
                                              int64_t longest);

}  // namespace headway::pack

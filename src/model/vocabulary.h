#pragma once

// Joins the GGUF's tokenizer metadata and the tokenizer, which do not know each other.

#include "base/result.h"
#include "gguf/gguf_file.h"
#include "tokenizer/vocabulary.h"

namespace headway::model {

// The vocabulary in `file`'s keys tokenizer.*. Errors: kNotFound (a key is missing), kInvalidInput (a key of another type,
// a value out of range). Whether the vocabulary makes sense is checked by tokenizer::Tokenizer::Create.
Result<tokenizer::Vocabulary> VocabularyFromGguf(const gguf::GgufFile& file);

}  // namespace headway::model

#pragma once

// The tokenizer of a GGUF file: its metadata as a tokenizer::Vocabulary, and back (for packages,
// `synth` and tests). Key names: GGUF specification, "Tokenizer"; defaults for missing keys:
// llama.cpp's, which are what files rely on.

#include "base/result.h"
#include "gguf/gguf_file.h"
#include "gguf/gguf_writer.h"
#include "tokenizer/vocabulary.h"

namespace headway::model {

// Copies the tokens: the result does not view `file`. Whether the parts fit together is checked by
// Tokenizer::Create, not here. Errors: kNotFound (no tokenizer model or tokens), kInvalidInput (a
// key of a wrong type or an id that is no 32-bit number).
Result<tokenizer::Vocabulary> VocabularyFromGguf(const gguf::GgufFile& file);

// Adds everything that VocabularyFromGguf reads, so that writing and reading gives an equal
// Vocabulary, but that missing types or a missing end stay missing. Two keys are our own:
// "headway.tokenizer.extra_end_ids" and "headway.tokenizer.strip_after_special".
void AddVocabularyToGguf(const tokenizer::Vocabulary& vocabulary, gguf::GgufWriter* writer);

}  // namespace headway::model

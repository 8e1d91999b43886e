#pragma once

// Splits text into the pieces inside which byte-level BPE may join bytes: words with their leading
// space, runs of digits, punctuation, white space. The rules are the published regular expressions
// of the model families (pretokenizer_rules.h), run by PCRE2; pretokenizer.cc is the only file that
// knows PCRE2.
//
// Character classes follow PCRE2's Unicode tables (14.0 in Debian 12). Letters of newer scripts
// count as unassigned there, so they fall into the punctuation rule: other ids may come out, the
// text never changes.

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace headway::tokenizer {

class Pretokenizer {
 public:
  // `name` is GGUF's tokenizer.ggml.pre: "gpt-4o", "llama-bpe", "qwen2", ... Errors: kUnsupported,
  // listing the names.
  static Result<Pretokenizer> Create(std::string_view name);

  Pretokenizer(Pretokenizer&&) noexcept;
  Pretokenizer& operator=(Pretokenizer&&) noexcept;
  ~Pretokenizer();

  // Appends to `ends` the end offset of every piece of `text`; the pieces cover it without gaps.
  // Text may be any bytes: each byte that is not part of valid UTF-8 becomes a piece of its own,
  // and the rules see the valid stretches as separate texts. Thread-safe. Errors: kInvalidInput (1
  // GiB or more), kUnsupported (PCRE2 gave up; no text is known to do this).
  Result<void> Split(std::string_view text, std::vector<uint32_t>* ends) const;

  // True when a piece that is a token as a whole is that token, whatever the merges say (Llama 3,
  // Tekken).
  bool WholePiecesFirst() const { return whole_pieces_first_; }

 private:
  struct Pattern;
  explicit Pretokenizer(bool whole_pieces_first);

  std::vector<std::unique_ptr<Pattern>> stages_;
  bool whole_pieces_first_;
};

}  // namespace headway::tokenizer

#pragma once

// Byte-level BPE: pre-tokenizer, then merges by rank inside each piece. Encodes any bytes. Used by
// Tokenizer, which has split off special tokens before.

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tokenizer/merge.h"
#include "tokenizer/pretokenizer.h"
#include "tokenizer/token_table.h"
#include "tokenizer/vocabulary.h"

namespace headway::tokenizer {

class BytePairEncoder {
 public:
  // `texts` maps the token strings of `vocabulary` to ids; `token_bytes`, by id, must outlive the
  // encoder. A merge that would make a special token is left out: text cannot become one. Errors:
  // kUnsupported (pre-tokenizer), kInvalidInput (a merge without two parts, or whose parts or
  // result are not tokens).
  static Result<BytePairEncoder> Create(const Vocabulary& vocabulary, const TokenTable& texts,
                                        const std::vector<std::string_view>& token_bytes);

  // Appends the ids of `text`. Errors: kInvalidInput (a byte has no token and there is no unknown
  // token), and those of Pretokenizer::Split. Thread-safe.
  Result<void> Encode(std::string_view text, std::vector<int32_t>* ids) const;

 private:
  struct MergeSlot {
    uint64_t pair = kNoPair;
    Merge merge;
  };
  // What merging the bytes of a token gives. Found out on first use, then remembered: running all
  // 200,000 tokens through the merges at load would take longer than everything else together.
  enum class Reach : uint8_t { kUnknown, kItself, kOther };

  static constexpr uint64_t kNoPair = ~uint64_t{0};

  explicit BytePairEncoder(Pretokenizer pretokenizer) : pretokenizer_(std::move(pretokenizer)) {}
  Result<void> AddMerges(const Vocabulary& vocabulary, const TokenTable& texts);
  void AddMerge(uint64_t pair, Merge merge);
  std::optional<Merge> FindMerge(int32_t left, int32_t right) const;
  Result<void> EncodePiece(std::string_view piece, MergeSpace* space,
                           std::vector<int32_t>* ids) const;
  Result<void> MergePiece(std::string_view piece, MergeSpace* space,
                          std::vector<int32_t>* ids) const;

  Pretokenizer pretokenizer_;
  std::array<int32_t, 256> byte_ids_{};  // the token of each single byte; -1: none
  int32_t unknown_id_ = -1;
  std::vector<MergeSlot> merges_;                // open addressing, at most half full
  TokenTable pieces_;                            // bytes -> id, for whole pieces
  std::unique_ptr<std::atomic<Reach>[]> reach_;  // by id
};

}  // namespace headway::tokenizer

#pragma once

// The rows that a reduced head computes before it looks at any other (docs/certified_head.md).

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tensor/tensor_view.h"
#include "tokenizer/tokenizer.h"

namespace headway::compile {

// The `count` (at most vocab_size) tokens that `text` uses most, ties and tokens that it does not
// use by id: byte-pair vocabularies number their merges by use. Ascending. Errors: those of
// Tokenizer::Encode.
Result<std::vector<int32_t>> MostUsedTokens(const tokenizer::Tokenizer& tokenizer,
                                            std::string_view text, int64_t vocab_size,
                                            int64_t count);

// A copy of some rows of a tensor, in the order of `ids`.
class GatheredRows {
 public:
  // The tensor's name must outlive this object; `ids` are rows of it.
  GatheredRows(const ConstTensorView& tensor, std::span<const int32_t> ids);

  // Valid as long as this object.
  ConstTensorView View() const;

 private:
  ConstTensorView view_;
  std::vector<std::byte> bytes_;
};

}  // namespace headway::compile

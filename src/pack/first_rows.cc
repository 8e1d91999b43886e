#include "pack/first_rows.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace headway::compile {

Result<std::vector<int32_t>> MostUsedTokens(const tokenizer::Tokenizer& tokenizer,
                                            std::string_view text, int64_t vocab_size,
                                            int64_t count) {
  std::vector<int64_t> uses(static_cast<size_t>(vocab_size), 0);
  HW_TRY(const std::vector<int32_t> tokens, tokenizer.Encode(text, {.add_bos = false}));
  for (const int32_t id : tokens) ++uses[static_cast<size_t>(id)];
  std::vector<int32_t> ids(static_cast<size_t>(vocab_size));
  std::iota(ids.begin(), ids.end(), 0);
  std::stable_sort(ids.begin(), ids.end(), [&](int32_t a, int32_t b) {
    return uses[static_cast<size_t>(a)] > uses[static_cast<size_t>(b)];
  });
  ids.resize(static_cast<size_t>(count));
  std::sort(ids.begin(), ids.end());
  return ids;
}

GatheredRows::GatheredRows(const ConstTensorView& tensor, std::span<const int32_t> ids)
    : view_(tensor) {
  const auto row_bytes = static_cast<size_t>(tensor.row_stride_bytes);
  bytes_.resize(ids.size() * row_bytes);
  for (size_t i = 0; i < ids.size(); ++i)
    std::memcpy(bytes_.data() + i * row_bytes, tensor.Row(ids[i]), row_bytes);
  view_.shape = Shape{static_cast<int64_t>(ids.size()), tensor.shape.Columns()};
}

ConstTensorView GatheredRows::View() const {
  ConstTensorView view = view_;
  view.data = bytes_.data();
  return view;
}

}  // namespace headway::compile

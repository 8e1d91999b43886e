#include "pack/file_rows.h"

#include <fmt/format.h>

#include <utility>

#include "tensor/codec.h"

namespace headway::pack {
namespace {

// Pages of a model that is read several times over would all stay in the resident set.
constexpr uint64_t kReleaseAfter = uint64_t{128} << 20;  // weights

}  // namespace

Result<void> FileRows::Read(const oracle::WeightReader& stored, const std::string& name,
                            int64_t row_begin, int64_t num_rows, std::span<float> out) {
  if (cancelled_or_null_ != nullptr && cancelled_or_null_->load(std::memory_order_relaxed))
    return Fail(ErrorCode::kCancelled, fmt::format("interrupted ({}): nothing was written", work_));
  if (stored) {
    HW_TRY_VOID(stored(name, row_begin, num_rows, out));
  } else {
    HW_TRY(const ConstTensorView view, file_.GetTensor(name));
    const int64_t columns = view.shape.Columns();
    for (int64_t row = 0; row < num_rows; ++row)
      DequantiseRow(view.type, view.Row(row_begin + row), columns, out.data() + row * columns);
  }
  const std::lock_guard lock(mutex_);
  done_ += out.size();
  progress_.Update(done_, name);
  if (done_ >= released_ + kReleaseAfter) {
    released_ = done_;
    file_.AdviseDone();
  }
  return {};
}

oracle::WeightReader FileRows::Reader(oracle::WeightReader stored) {
  return [this, stored = std::move(stored)](const std::string& name, int64_t row_begin,
                                            int64_t num_rows, std::span<float> out) {
    return Read(stored, name, row_begin, num_rows, out);
  };
}

}  // namespace headway::pack

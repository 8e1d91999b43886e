#include "device/coreml/shards/shared_blobs.h"

#include <fmt/format.h>

namespace headway::mil {

void SharedBlobs::NextFunction() {
  writing_ = false;
  next_ = 0;
}

Result<BlobRef> SharedBlobs::Begin(DType dtype, int64_t num_elements) {
  if (writing_) {
    HW_TRY(BlobRef ref, target_.Begin(dtype, num_elements));
    noted_.push_back({dtype, num_elements, ref});
    return ref;
  }
  const bool same = next_ < noted_.size() && noted_[next_].dtype == dtype &&
                    noted_[next_].num_elements == num_elements;
  if (!same) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("weight {}: expected the same weights in every function, found {} "
                            "elements of {}",
                            next_, num_elements, NameOf(dtype)));
  }
  return noted_[next_++].ref;
}

Result<void> SharedBlobs::Write(std::span<const std::byte> bytes) {
  return writing_ ? target_.Write(bytes) : Result<void>();
}

Result<void> SharedBlobs::End() { return writing_ ? target_.End() : Result<void>(); }

}  // namespace headway::mil

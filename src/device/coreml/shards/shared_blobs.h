#pragma once

// A sink for functions of one program that have the same weights: the first function writes them,
// the others get the same references. Builders give their weights in one order whatever the width.

#include <vector>

#include "device/coreml/ir/blobs.h"

namespace headway::mil {

class SharedBlobs final : public BlobSink {
 public:
  // `target` must outlive this.
  explicit SharedBlobs(BlobSink* target) : target_(*target) {}

  // The function that comes now has the weights of the first: from here on nothing is written.
  void NextFunction();

  // Errors: those of the target; kInvalidInput (another weight than the first function's).
  Result<BlobRef> Begin(DType dtype, int64_t num_elements) override;
  Result<void> Write(std::span<const std::byte> bytes) override;
  Result<void> End() override;

 private:
  struct Noted {
    DType dtype;
    int64_t num_elements;
    BlobRef ref;
  };
  BlobSink& target_;
  std::vector<Noted> noted_;
  bool writing_ = true;
  size_t next_ = 0;
};

}  // namespace headway::mil

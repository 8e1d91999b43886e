#include "device/coreml/ir/blobs.h"

#include <fmt/format.h>

namespace headway::mil {

Result<BlobRef> BlobSink::Append(DType dtype, int64_t num_elements,
                                 std::span<const std::byte> bytes) {
  HW_TRY(BlobRef ref, Begin(dtype, num_elements));
  HW_TRY_VOID(Write(bytes));
  HW_TRY_VOID(End());
  return ref;
}

Result<BlobRef> MemoryBlobs::Begin(DType dtype, int64_t num_elements) {
  if (open_offset_ != 0) {
    return Fail(ErrorCode::kInvalidInput, "blobs: expected End() of the previous blob first");
  }
  open_offset_ = next_offset_;
  blobs_[open_offset_] = {.dtype = dtype, .num_elements = num_elements, .bytes = {}};
  return BlobRef{"@memory", open_offset_};
}

Result<void> MemoryBlobs::Write(std::span<const std::byte> bytes) {
  std::vector<std::byte>& all = blobs_[open_offset_].bytes;
  all.insert(all.end(), bytes.begin(), bytes.end());
  return {};
}

Result<void> MemoryBlobs::End() {
  const Blob& blob = blobs_[open_offset_];
  const auto expected = static_cast<size_t>(PackedBytes(blob.dtype, blob.num_elements));
  if (blob.bytes.size() != expected) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("blobs: expected {} bytes as announced, found {}", expected,
                            blob.bytes.size()));
  }
  next_offset_ += 64 + (expected + 63) / 64 * 64;
  open_offset_ = 0;
  return {};
}

Result<std::span<const std::byte>> MemoryBlobs::Read(const BlobRef& ref, DType dtype,
                                                     int64_t num_elements) const {
  const auto found = blobs_.find(ref.offset);
  if (found == blobs_.end()) {
    return Fail(ErrorCode::kNotFound, fmt::format("blobs: no blob at offset {}", ref.offset));
  }
  if (found->second.dtype != dtype || found->second.num_elements != num_elements) {
    return Fail(ErrorCode::kCorrupt,
                fmt::format("blobs: offset {}: expected {} elements of {}, found {} of {}",
                            ref.offset, num_elements, NameOf(dtype), found->second.num_elements,
                            NameOf(found->second.dtype)));
  }
  return std::span<const std::byte>(found->second.bytes);
}

Result<BlobRef> PhantomBlobs::Begin(DType dtype, int64_t num_elements) {
  BlobRef ref{"@phantom", next_offset_};
  next_offset_ += 64 + (static_cast<uint64_t>(PackedBytes(dtype, num_elements)) + 63) / 64 * 64;
  return ref;
}

}  // namespace headway::mil

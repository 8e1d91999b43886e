#pragma once

// Where large constants live. The program holds references (file name, offset); the bytes are
// behind these two interfaces: a BlobSink takes them as they are produced, a BlobSource gives them
// back. weight.bin implements both (device/coreml/package/weight_file.h); MemoryBlobs does for
// tests and for programs that are run without being written.

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "device/coreml/ir/type.h"

namespace headway::mil {

// A blob in a weight file: `offset` is where its description begins, as MIL's BlobFileValue has it.
struct BlobRef {
  std::string file;
  uint64_t offset = 0;
  friend bool operator==(const BlobRef&, const BlobRef&) = default;
};

// Takes blobs one after the other, each in as many pieces as the producer likes, so that no tensor
// need be whole in memory.
class BlobSink {
 public:
  virtual ~BlobSink() = default;
  // Opens a blob of `num_elements` packed elements; exactly PackedBytes() bytes must follow.
  virtual Result<BlobRef> Begin(DType dtype, int64_t num_elements) = 0;
  virtual Result<void> Write(std::span<const std::byte> bytes) = 0;
  // Errors (kInvalidInput): fewer or more bytes than announced.
  virtual Result<void> End() = 0;

  // A blob that is already whole.
  Result<BlobRef> Append(DType dtype, int64_t num_elements, std::span<const std::byte> bytes);
};

class BlobSource {
 public:
  virtual ~BlobSource() = default;
  // The packed bytes of the blob at `ref`, valid while the source lives. Errors (kCorrupt,
  // kNotFound): no blob there, another element type, another element count.
  virtual Result<std::span<const std::byte>> Read(const BlobRef& ref, DType dtype,
                                                  int64_t num_elements) const = 0;
};

class MemoryBlobs final : public BlobSink, public BlobSource {
 public:
  Result<BlobRef> Begin(DType dtype, int64_t num_elements) override;
  Result<void> Write(std::span<const std::byte> bytes) override;
  Result<void> End() override;
  Result<std::span<const std::byte>> Read(const BlobRef& ref, DType dtype,
                                          int64_t num_elements) const override;

 private:
  struct Blob {
    DType dtype = DType::kU8;
    int64_t num_elements = 0;
    std::vector<std::byte> bytes;
  };
  std::map<uint64_t, Blob> blobs_;
  uint64_t next_offset_ = 64;
  uint64_t open_offset_ = 0;  // 0: none is open
};

// Takes blobs and forgets them: for programs that are only looked at (op counts, predicted
// placement).
class PhantomBlobs final : public BlobSink {
 public:
  Result<BlobRef> Begin(DType dtype, int64_t num_elements) override;
  Result<void> Write(std::span<const std::byte>) override { return {}; }
  Result<void> End() override { return {}; }

 private:
  uint64_t next_offset_ = 64;
};

}  // namespace headway::mil

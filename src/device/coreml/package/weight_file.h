#pragma once

// weight.bin: Core ML's blob storage, version 2. A 64-byte header, then for each blob a 64-byte
// description and its bytes, each at the next multiple of 64; little-endian.
// docs/formats/coreml_package.md draws it. Source: MILBlob storage format of coremltools (facts of
// the format).

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "base/mapped_file.h"
#include "base/result.h"
#include "device/coreml/ir/blobs.h"

namespace headway::mil {

struct WeightFileHeader {
  uint32_t num_blobs;
  uint32_t version;  // 2
  uint64_t reserved[7];
};

struct BlobDescription {
  uint32_t sentinel;         // 0xDEADBEEF
  uint32_t dtype;            // BlobNumber(dtype)
  uint64_t size_bytes;       // packed, without the gap that follows
  uint64_t data_offset;      // from the start of the file
  uint64_t padding_in_bits;  // unused high bits of the last byte, 0..7
  uint64_t reserved[4];      // zero; old writers left noise here
};

static_assert(sizeof(WeightFileHeader) == 64 && sizeof(BlobDescription) == 64);

inline constexpr uint32_t kBlobSentinel = 0xDEADBEEF;
inline constexpr uint32_t kWeightFileVersion = 2;
inline constexpr uint64_t kBlobAlignmentBytes = 64;

// A weight file opened for reading. Opening walks all descriptions, so that later reads cannot fail
// on a bad file.
class WeightFile final : public BlobSource {
 public:
  struct Blob {
    DType dtype;
    int64_t num_elements;
    std::span<const std::byte> bytes;
  };

  // Errors: kNotFound, kIo, and kCorrupt with offset, expected and found: version, sentinel, type
  // number, padding, bytes outside the file, a blob that overlaps the description before it.
  static Result<WeightFile> Open(const std::string& path);
  // Over bytes that outlive the object; `name` stands for the file in errors.
  static Result<WeightFile> FromBytes(std::span<const std::byte> bytes, std::string name);

  Result<std::span<const std::byte>> Read(const BlobRef& ref, DType dtype,
                                          int64_t num_elements) const override;

  // By the offset of the description, as a BlobRef has it.
  const std::map<uint64_t, Blob>& Blobs() const { return blobs_; }
  uint64_t SizeBytes() const { return size_bytes_; }
  // Drops what was read from memory; it is read again when it is used again.
  void ReleasePages() const;

 private:
  MappedFile file_;
  std::string name_;
  uint64_t size_bytes_ = 0;
  std::map<uint64_t, Blob> blobs_;
};

// Writes a weight file blob by blob. Nothing is kept in memory but the position.
class WeightFileWriter final : public BlobSink {
 public:
  // Creates `path`; references say `file_name_in_model`. Errors: kIo.
  static Result<std::unique_ptr<WeightFileWriter>> Create(const std::string& path,
                                                          std::string file_name_in_model);
  WeightFileWriter(const WeightFileWriter&) = delete;
  WeightFileWriter& operator=(const WeightFileWriter&) = delete;
  ~WeightFileWriter() override;

  // Errors: kUnsupported (an element type that weight.bin has no number for), kIo.
  Result<BlobRef> Begin(DType dtype, int64_t num_elements) override;
  Result<void> Write(std::span<const std::byte> bytes) override;
  Result<void> End() override;
  // Writes the header and syncs; the file is not valid before.
  Result<void> Close();

  uint32_t NumBlobs() const { return num_blobs_; }
  uint64_t SizeBytes() const { return position_; }

 private:
  WeightFileWriter(std::FILE* file, std::string path, std::string file_name_in_model)
      : file_(file), path_(std::move(path)), file_name_in_model_(std::move(file_name_in_model)) {}
  Result<void> WriteRaw(const void* bytes, uint64_t count);
  Result<void> Align();
  Result<void> Failed() const;

  std::FILE* file_;
  std::string path_;
  std::string file_name_in_model_;
  uint64_t position_ = 0;
  uint64_t blob_end_ = 0;  // where the open blob must end; 0: none is open
  uint32_t num_blobs_ = 0;
};

}  // namespace headway::mil

#include "device/coreml/package/weight_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstring>

#include "device/coreml/package/type_numbers.h"

namespace headway::mil {
namespace {

static_assert(std::endian::native == std::endian::little, "weight.bin is little-endian");

uint64_t AlignUp(uint64_t offset) {
  return (offset + kBlobAlignmentBytes - 1) / kBlobAlignmentBytes * kBlobAlignmentBytes;
}

// Checks one description against the file and gives the blob. `offset` is where the description
// lies.
Result<WeightFile::Blob> CheckBlob(const BlobDescription& description, uint64_t offset,
                                   std::span<const std::byte> file) {
  const auto bad = [&](std::string message) {
    return Fail(ErrorCode::kCorrupt, fmt::format("blob at offset {}: {}", offset, message));
  };
  if (description.sentinel != kBlobSentinel) {
    return bad(
        fmt::format("expected sentinel {:#x}, found {:#x}", kBlobSentinel, description.sentinel));
  }
  const auto dtype = DTypeFromBlobNumber(description.dtype);
  if (!dtype)
    return bad(fmt::format("expected a type number of 1 to 17, found {}", description.dtype));
  const uint64_t data = description.data_offset;
  if (data < offset + sizeof(BlobDescription)) {
    return bad(fmt::format("expected data after offset {}, found {}: overlaps its description",
                           offset + 64, data));
  }
  if (data > file.size() || description.size_bytes > file.size() - data) {
    return bad(fmt::format("expected data inside the file of {} bytes, found {} bytes at {}",
                           file.size(), description.size_bytes, data));
  }
  const auto bits = static_cast<uint64_t>(Traits(*dtype).bits);
  const uint64_t padding = description.padding_in_bits;
  if (padding > 7 || padding > description.size_bytes * 8 ||
      (description.size_bytes * 8 - padding) % bits != 0) {
    return bad(fmt::format("expected whole {} elements, found {} bytes with {} bits of padding",
                           NameOf(*dtype), description.size_bytes, padding));
  }
  return WeightFile::Blob{
      *dtype, static_cast<int64_t>((description.size_bytes * 8 - padding) / bits),
      file.subspan(static_cast<size_t>(data), static_cast<size_t>(description.size_bytes))};
}

}  // namespace

Result<WeightFile> WeightFile::Open(const std::string& path) {
  HW_TRY(MappedFile file, MappedFile::Open(path));
  HW_TRY(WeightFile weights, FromBytes(file.Bytes(), path));
  weights.file_ = std::move(file);  // the mapping does not move, so the spans stay valid
  return weights;
}

void WeightFile::ReleasePages() const { file_.AdviseDone(0, file_.Bytes().size()); }

Result<WeightFile> WeightFile::FromBytes(std::span<const std::byte> bytes, std::string name) {
  WeightFile weights;
  weights.name_ = std::move(name);
  weights.size_bytes_ = bytes.size();
  WeightFileHeader header;
  if (bytes.size() < sizeof header) {
    return Fail(ErrorCode::kCorrupt, fmt::format("{}: expected a header of 64 bytes, found {}",
                                                 weights.name_, bytes.size()));
  }
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.version != kWeightFileVersion) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{}: expected version {}, found {}", weights.name_, kWeightFileVersion,
                            header.version));
  }
  uint64_t offset = sizeof header;
  for (uint32_t i = 0; i < header.num_blobs; ++i) {
    if (offset > bytes.size() || bytes.size() - offset < sizeof(BlobDescription)) {
      return Fail(
          ErrorCode::kCorrupt,
          fmt::format("{}: expected {} blobs, found the end of the file after {} (offset {})",
                      weights.name_, header.num_blobs, i, offset));
    }
    BlobDescription description;
    std::memcpy(&description, bytes.data() + offset, sizeof description);
    auto blob = CheckBlob(description, offset, bytes);
    if (!blob) return Prefixed(std::move(blob).error(), weights.name_);
    weights.blobs_.emplace(offset, *blob);
    offset = AlignUp(description.data_offset + description.size_bytes);
  }
  return weights;
}

Result<std::span<const std::byte>> WeightFile::Read(const BlobRef& ref, DType dtype,
                                                    int64_t num_elements) const {
  const auto found = blobs_.find(ref.offset);
  if (found == blobs_.end()) {
    return Fail(ErrorCode::kCorrupt,
                fmt::format("{}: expected a blob at offset {}, found none that begins there "
                            "(file of {} bytes, {} blobs)",
                            name_, ref.offset, size_bytes_, blobs_.size()));
  }
  const Blob& blob = found->second;
  if (blob.dtype != dtype || blob.num_elements != num_elements) {
    return Fail(ErrorCode::kCorrupt,
                fmt::format("{}: blob at offset {}: expected {} elements of {}, found {} of {}",
                            name_, ref.offset, num_elements, NameOf(dtype), blob.num_elements,
                            NameOf(blob.dtype)));
  }
  return blob.bytes;
}

Result<std::unique_ptr<WeightFileWriter>> WeightFileWriter::Create(const std::string& path,
                                                                   std::string file_name_in_model) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) {
    return Fail(ErrorCode::kIo, fmt::format("{}: cannot create: {}", path, std::strerror(errno)));
  }
  std::unique_ptr<WeightFileWriter> writer(
      new WeightFileWriter(file, path, std::move(file_name_in_model)));
  const WeightFileHeader header{};
  HW_TRY_VOID(writer->WriteRaw(&header, sizeof header));
  return writer;
}

WeightFileWriter::~WeightFileWriter() {
  if (file_ != nullptr) std::fclose(file_);
}

Result<void> WeightFileWriter::Failed() const {
  return Fail(ErrorCode::kIo, fmt::format("{}: cannot write: {}", path_, std::strerror(errno)));
}

Result<void> WeightFileWriter::WriteRaw(const void* bytes, uint64_t count) {
  if (count > 0 && std::fwrite(bytes, 1, count, file_) != count) return Failed();
  position_ += count;
  return {};
}

Result<void> WeightFileWriter::Align() {
  static constexpr std::array<std::byte, kBlobAlignmentBytes> kZeros{};
  return WriteRaw(kZeros.data(), AlignUp(position_) - position_);
}

Result<BlobRef> WeightFileWriter::Begin(DType dtype, int64_t num_elements) {
  const auto number = BlobNumber(dtype);
  if (!number) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{}: element type {} cannot be a blob", path_, NameOf(dtype)));
  }
  if (blob_end_ != 0)
    return Fail(ErrorCode::kInvalidInput, path_ + ": expected End() of the previous blob first");
  HW_TRY_VOID(Align());
  BlobDescription description{};
  description.sentinel = kBlobSentinel;
  description.dtype = *number;
  description.size_bytes = static_cast<uint64_t>(PackedBytes(dtype, num_elements));
  description.data_offset = position_ + sizeof description;
  description.padding_in_bits =
      description.size_bytes * 8 -
      static_cast<uint64_t>(num_elements) * static_cast<uint64_t>(Traits(dtype).bits);
  BlobRef ref{file_name_in_model_, position_};
  HW_TRY_VOID(WriteRaw(&description, sizeof description));
  blob_end_ = position_ + description.size_bytes;
  ++num_blobs_;
  return ref;
}

Result<void> WeightFileWriter::Write(std::span<const std::byte> bytes) {
  if (position_ + bytes.size() > blob_end_) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("{}: expected a blob of at most {} more bytes, found {}", path_,
                            blob_end_ - position_, bytes.size()));
  }
  return WriteRaw(bytes.data(), bytes.size());
}

Result<void> WeightFileWriter::End() {
  if (position_ != blob_end_) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("{}: expected {} more bytes of the blob as announced", path_,
                            blob_end_ - position_));
  }
  blob_end_ = 0;
  return {};
}

Result<void> WeightFileWriter::Close() {
  WeightFileHeader header{};
  header.num_blobs = num_blobs_;
  header.version = kWeightFileVersion;
  if (std::fseek(file_, 0, SEEK_SET) != 0 ||
      std::fwrite(&header, 1, sizeof header, file_) != sizeof header || std::fflush(file_) != 0 ||
      ::fsync(::fileno(file_)) != 0) {
    return Failed();
  }
  const bool closed = std::fclose(std::exchange(file_, nullptr)) == 0;
  return closed ? Result<void>() : Failed();
}

}  // namespace headway::mil

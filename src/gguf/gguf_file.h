#pragma once

// A GGUF file, or the files of a split model (gguf/split.h), opened for reading: typed metadata and
// tensors, all views into the memory-mapped files. Opening checks everything outside the tensor data; the data itself is not touched. Knows no
// model: which keys and tensors there must be is model/'s business. Format: docs/formats/gguf.md.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "base/result.h"
#include "gguf/directory.h"
#include "gguf/value.h"
#include "tensor/tensor_view.h"

namespace headway::gguf {

// Immutable after opening, safe to share between threads. Everything it returns views the file's
// bytes and is valid while this object lives (moving it keeps views valid).
class GgufFile {
 public:
  // Any part of a split model opens all of it. Errors: kNotFound, kIo (opening; a missing part is
  // named); kInvalidInput (not a GGUF, parts that do not belong together), kUnsupported (version),
  // kCorrupt.
  static Result<GgufFile> Open(const std::string& path);

  // Parses bytes that the caller keeps alive; `name` stands for the path in messages. Of a split
  // model only this part. Errors as Open().
  static Result<GgufFile> Parse(std::span<const std::byte> bytes, std::string name);

  // Of the first part.
  const std::string& Path() const { return parts_.front().path; }
  size_t NumParts() const { return parts_.size(); }
  const std::string& PartPath(size_t part) const { return parts_[part].path; }
  uint32_t Version() const { return directory_.version; }
  uint64_t AlignmentBytes() const { return directory_.alignment_bytes; }

  const std::vector<MetadataEntry>& Metadata() const { return directory_.metadata; }
  // nullptr when there is no such key.
  const Value* Find(std::string_view key) const;

  // Typed values. Errors: kNotFound (no such key), kInvalidInput (another type, or out of range),
  // naming the key, what was expected and what was found. GetU32 accepts every integer type, GetF32
  // also f64, GetI32Array every integer element in range, GetF32Array also f64 elements.
  Result<uint32_t> GetU32(std::string_view key) const;
  Result<float> GetF32(std::string_view key) const;
  Result<bool> GetBool(std::string_view key) const;
  Result<std::string_view> GetString(std::string_view key) const;
  Result<std::vector<std::string_view>> GetStringArray(std::string_view key) const;
  Result<std::vector<float>> GetF32Array(std::string_view key) const;
  Result<std::vector<int32_t>> GetI32Array(std::string_view key) const;

  // The same with a default for a missing key; a wrong type stays an error.
  Result<uint32_t> GetU32Or(std::string_view key, uint32_t fallback) const;
  Result<float> GetF32Or(std::string_view key, float fallback) const;
  Result<bool> GetBoolOr(std::string_view key, bool fallback) const;
  Result<std::string_view> GetStringOr(std::string_view key, std::string_view fallback) const;
  // A missing array is an empty one.
  Result<std::vector<std::string_view>> GetStringArrayOr(std::string_view key) const;
  Result<std::vector<float>> GetF32ArrayOr(std::string_view key) const;
  Result<std::vector<int32_t>> GetI32ArrayOr(std::string_view key) const;

  // In the file's order, part by part.
  const std::vector<TensorInfo>& Tensors() const { return directory_.tensors; }
  // nullptr when there is no such tensor.
  const TensorInfo* FindTensor(std::string_view name) const;
  // Errors: kNotFound; kUnsupported (a type this build cannot compute with).
  Result<ConstTensorView> GetTensor(std::string_view name) const;

  // The mapping of the first part behind Open(); empty after Parse().
  const MappedFile& Mapping() const { return parts_.front().mapping; }
  // Tells the kernel that what was read will not be read again soon, so that converting a large
  // model keeps a small resident set; only a hint.
  void AdviseDone() const;

 private:
  struct Part {
    std::string path;
    MappedFile mapping;
    std::span<const std::byte> bytes;
  };

  static Result<GgufFile> OpenOne(const std::string& path);
  // All parts of the model that `opened` is a part of; itself when it is whole.
  static Result<GgufFile> OpenParts(GgufFile opened);
  Result<void> Append(GgufFile part);

  // "gguf: model.gguf: key 'x': expected u32, found string".
  tl::unexpected<Error> KeyError(ErrorCode code, std::string_view key,
                                 std::string_view problem) const;
  tl::unexpected<Error> WrongType(std::string_view key, std::string_view expected,
                                  const Value& found) const;
  Result<const Value*> Require(std::string_view key, std::string_view expected) const;
  Result<const Value*> RequireArray(std::string_view key, std::string_view expected) const;

  std::vector<Part> parts_;
  Directory directory_;  // the first part's; tensors of all
};

}  // namespace headway::gguf

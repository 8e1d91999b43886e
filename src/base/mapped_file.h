#pragma once

// A whole file, read-only, in memory by mmap. Used for GGUF files and package shards: opening costs
// no copy, and pages that are never touched are never read.

#include <cstddef>
#include <span>
#include <string>

#include "base/bus_error.h"
#include "base/result.h"

namespace headway {

class MappedFile {
 public:
  // Maps `path`. Errors: kNotFound (no such file), kIo (not a regular file, permissions). An empty
  // file maps to an empty span.
  static Result<MappedFile> Open(const std::string& path);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  // Valid while this object lives.
  std::span<const std::byte> Bytes() const { return {data_, size_bytes_}; }
  const std::string& Path() const { return path_; }

  // Asks the kernel for huge pages on the mapping and for read-ahead; only a hint, errors are
  // ignored.
  void AdviseStreaming() const;
  // Tells the kernel that [offset, offset + length) will not be read again, so that converting a
  // large file keeps a small resident set; only a hint.
  void AdviseDone(size_t offset, size_t length) const;

 private:
  const std::byte* data_ = nullptr;
  size_t size_bytes_ = 0;
  std::string path_;
  WatchedMapping watched_;
};

}  // namespace headway

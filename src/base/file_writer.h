#pragma once

// Writing that reports every failure: a sequential file writer with a running digest, and a
// directory that appears whole or not at all. Used by the GGUF writer and the package writer.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/result.h"

namespace headway {

// Appends to one new file. Close() (which syncs) must succeed before the file counts as written.
class FileWriter {
 public:
  // Creates or replaces `path`. Errors: kIo.
  static Result<FileWriter> Create(const std::string& path);

  FileWriter(FileWriter&& other) noexcept;
  FileWriter& operator=(FileWriter&& other) noexcept;
  ~FileWriter();

  // Errors: kIo ("no space left on device" among them), with the path.
  Result<void> Write(std::span<const std::byte> bytes);
  Result<void> Write(std::string_view text);
  // Zero bytes up to the next multiple of `alignment_bytes`.
  Result<void> PadTo(uint64_t alignment_bytes);
  // Flushes, fsyncs and closes.
  Result<void> Close();

  uint64_t SizeBytes() const { return size_bytes_; }
  // Of all bytes written so far.
  std::string DigestHex() const { return digest_.Hex(); }
  std::string BlockDigestsHex() const { return blocks_.Hex(); }

 private:
  FileWriter(std::FILE* file, std::string path) : file_(file), path_(std::move(path)) {}
  Result<void> Failed(int error) const;

  std::FILE* file_ = nullptr;
  std::string path_;
  uint64_t size_bytes_ = 0;
  StreamingDigest digest_;
  BlockDigests blocks_;
};

// A directory under construction beside its target: `<target>.partial-<pid>`. Commit() syncs it and
// gives it the target's name in one step: at any moment the name stands for the old directory, the
// new one, or, when there was none, nothing. A writer that is destroyed without Commit() removes
// what it wrote. A killed process leaves only a .partial directory, which is never opened as a
// package.
class AtomicDirectory {
 public:
  // Errors: kIo; kInvalidInput when the target exists and `replace` is false.
  static Result<AtomicDirectory> Create(const std::string& target, bool replace);

  // The .partial directories beside `target`, whoever writes them. A caller that knows that nobody
  // does any more (by a lock on a file inside) may go on with one.
  static std::vector<std::string> Unfinished(const std::string& target);
  // Whether the process that made such a directory is gone.
  static bool IsAbandoned(const std::string& unfinished);
  // Goes on with `unfinished`, which gets this process' name. Errors: as Create().
  static Result<AtomicDirectory> Adopt(const std::string& target, const std::string& unfinished,
                                       bool replace);

  AtomicDirectory(AtomicDirectory&& other) noexcept;
  AtomicDirectory& operator=(AtomicDirectory&& other) noexcept;
  ~AtomicDirectory();

  // Where to write until Commit().
  const std::string& Path() const { return path_; }
  // Errors: kIo; kInvalidInput when something has appeared at the target and `replace` was false:
  // it stays.
  Result<void> Commit();

 private:
  AtomicDirectory(std::string target, std::string path, bool replace)
      : target_(std::move(target)), path_(std::move(path)), replace_(replace) {}
  bool ReplaceTarget();

  std::string target_;
  std::string path_;  // empty once committed or moved from
  bool replace_ = false;
};

// The whole file as text; at most `max_bytes`. Errors: kNotFound, kIo, kInvalidInput (larger).
Result<std::string> ReadTextFile(const std::string& path, uint64_t max_bytes);

// Writes `text` to `path` by way of a temporary file and a rename.
Result<void> WriteTextFileAtomically(const std::string& path, std::string_view text);

}  // namespace headway

#include "pack/source_digest.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <span>
#include <utility>
#include <vector>

#include "base/cache_directory.h"
#include "base/digest.h"
#include "base/file_writer.h"
#include "gguf/split.h"

namespace headway::pack {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMostNoteBytes = 4096;
constexpr int64_t kCoarsestTimeNs = 2'000'000'000;

struct FileState {
  std::string text;  // changes whenever the file may have
  int64_t changed_ns = 0;
};

Result<FileState> StateOf(const std::string& path) {
  struct stat s {};
  if (::stat(path.c_str(), &s) != 0) {
    return Fail(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                fmt::format("{}: {}", path, std::strerror(errno)));
  }
#if defined(__APPLE__)
  const timespec modified = s.st_mtimespec;
  const timespec changed = s.st_ctimespec;
#else
  const timespec modified = s.st_mtim;
  const timespec changed = s.st_ctim;
#endif
  return FileState{
      .text = fmt::format("{} {} {} {}.{:09} {}.{:09}", s.st_dev, s.st_ino, s.st_size,
                          modified.tv_sec, modified.tv_nsec, changed.tv_sec, changed.tv_nsec),
      .changed_ns = int64_t{changed.tv_sec} * 1'000'000'000 + changed.tv_nsec};
}

// One small file a model file, named by its absolute path: state, digest.
std::string NotePath(const std::string& path, const std::string& memory) {
  std::error_code error;
  const std::string absolute = fs::absolute(path, error).string();
  const std::string name =
      DigestHex(std::as_bytes(std::span<const char>(absolute.data(), absolute.size())));
  return (fs::path(memory) / fmt::format("source-{}", name.substr(0, 16))).string();
}

Result<std::string> DigestOfFile(const std::string& path, const std::string& memory, bool reread) {
  HW_TRY(const FileState before, StateOf(path));
  const std::string note = NotePath(path, memory);
  const std::string prefix = before.text + "\n";
  if (!reread) {
    const auto text = ReadTextFile(note, kMostNoteBytes);
    if (text && text->rfind(prefix, 0) == 0 && text->size() == prefix.size() + 32)
      return text->substr(prefix.size());
  }
  HW_TRY(std::string digest, FileDigestHex(path));
  HW_TRY(const FileState after, StateOf(path));
  const int64_t now_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(
                             std::chrono::system_clock::now().time_since_epoch())
                             .count();
  if (after.text == before.text && now_ns - after.changed_ns > kCoarsestTimeNs) {
    MakeCacheDirectory(memory);
    static_cast<void>(WriteTextFileAtomically(note, prefix + digest).has_value());
  }
  return digest;
}

}  // namespace

Result<std::string> SourceDigest(const std::string& path, const std::string& memory, bool reread) {
  HW_TRY(const std::vector<std::string> parts, gguf::PartPaths(path));
  std::vector<std::string> digests;
  for (const std::string& part : parts) {
    HW_TRY(std::string digest, DigestOfFile(part, memory, reread));
    digests.push_back(std::move(digest));
  }
  return gguf::JoinDigests(digests);
}

}  // namespace headway::pack

#include "base/file_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "base/digest.h"

namespace headway {
namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> Unreadable(const std::string& path, const std::error_code& error) {
  return Fail(error == std::errc::no_such_file_or_directory ? ErrorCode::kNotFound : ErrorCode::kIo,
              fmt::format("{}: cannot read: {}", path, error.message()));
}

// Relative paths of the files below a directory, sorted.
Result<std::vector<std::string>> FilesBelow(const std::string& directory) {
  std::error_code error;
  std::vector<std::string> paths;
  fs::recursive_directory_iterator entries(directory, error);
  if (error) return Unreadable(directory, error);
  for (; entries != fs::recursive_directory_iterator(); entries.increment(error)) {
    const fs::directory_entry& entry = *entries;
    const fs::file_status status = entry.symlink_status(error);
    if (error) return Unreadable(entry.path().string(), error);
    if (fs::is_directory(status)) continue;
    if (!fs::is_regular_file(status)) {
      return Fail(ErrorCode::kCorrupt,
                  fmt::format("{}: expected a file or a directory, found something else",
                              entry.path().string()));
    }
    paths.push_back(entry.path().lexically_relative(directory).generic_string());
  }
  if (error) return Unreadable(directory, error);
  std::sort(paths.begin(), paths.end());
  return paths;
}

Result<uint64_t> FileBytes(const std::string& path) {
  std::error_code error;
  const uint64_t bytes = fs::file_size(path, error);
  if (error) return Unreadable(path, error);
  return bytes;
}

}  // namespace

Result<uint64_t> TreeBytes(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return FileBytes(path);
  HW_TRY(const std::vector<std::string> files, FilesBelow(path));
  uint64_t total = 0;
  for (const std::string& file : files) {
    HW_TRY(const uint64_t bytes, FileBytes((fs::path(path) / file).string()));
    total += bytes;
  }
  return total;
}

Result<TreeDigest> DigestTree(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    HW_TRY(const uint64_t bytes, FileBytes(path));
    HW_TRY(std::string digest, FileDigestHex(path));
    return TreeDigest{.bytes = bytes, .digest = std::move(digest)};
  }
  HW_TRY(const std::vector<std::string> files, FilesBelow(path));
  TreeDigest tree;
  std::string lines;
  for (const std::string& file : files) {
    const std::string whole = (fs::path(path) / file).string();
    HW_TRY(const uint64_t bytes, FileBytes(whole));
    HW_TRY(const std::string digest, FileDigestHex(whole));
    tree.bytes += bytes;
    lines += fmt::format("{} {} {}\n", file, bytes, digest);
  }
  tree.digest = DigestHex(std::as_bytes(std::span<const char>(lines.data(), lines.size())));
  return tree;
}

}  // namespace headway

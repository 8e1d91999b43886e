#include "base/file_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/directory.h"
#include "base/mapped_file.h"

namespace headway {
namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> Unreadable(const std::string& path, const std::error_code& error) {
  return Fail(error == std::errc::no_such_file_or_directory ? ErrorCode::kNotFound : ErrorCode::kIo,
              fmt::format("{}: cannot read: {}", path, error.message()));
}

// Adds the files below `directory`, which is at `relative` below what was asked for.
Result<void> AddFilesBelow(const std::string& directory, const std::string& relative,
                           std::vector<std::string>* paths) {
  HW_TRY(const std::vector<std::string> names, NamesIn(directory));
  for (const std::string& name : names) {
    const std::string path = fmt::format("{}/{}", directory, name);
    const std::string below = relative.empty() ? name : fmt::format("{}/{}", relative, name);
    std::error_code error;
    const fs::file_status status = fs::symlink_status(path, error);
    if (error) return Unreadable(path, error);
    if (fs::is_directory(status)) {
      HW_TRY_VOID(AddFilesBelow(path, below, paths));
    } else if (fs::is_regular_file(status)) {
      paths->push_back(below);
    } else {
      return Fail(ErrorCode::kCorrupt,
                  fmt::format("{}: expected a file or a directory, found something else", path));
    }
  }
  return {};
}

Result<uint64_t> FileBytes(const std::string& path) {
  std::error_code error;
  const uint64_t bytes = fs::file_size(path, error);
  if (error) return Unreadable(path, error);
  return bytes;
}

// Takes the digests of the file's blocks off the front of `expected`.
Result<void> CheckBlocks(const std::string& path, std::string_view* expected,
                         const std::atomic<bool>& stop) {
  HW_TRY(const MappedFile file, MappedFile::Open(path));
  const std::span<const std::byte> bytes = file.Bytes();
  for (size_t begin = 0; begin < bytes.size() && !stop.load(std::memory_order_relaxed);
       begin += kDigestBlockBytes) {
    const size_t length = std::min(kDigestBlockBytes, bytes.size() - begin);
    const std::string found = BlockDigestHex(bytes.subspan(begin, length));
    const std::string_view wanted = expected->substr(0, kBlockDigestDigits);
    if (found != wanted) {
      return Fail(
          ErrorCode::kCorrupt,
          fmt::format("{}: block {} (bytes {} to {}): expected digest {}, found {} (damaged: "
                      "remove the package and make it again)",
                      path, begin / kDigestBlockBytes, begin, begin + length - 1,
                      wanted.empty() ? "none" : wanted, found));
    }
    expected->remove_prefix(kBlockDigestDigits);
    file.AdviseDone(begin, length);
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>> FilesBelow(const std::string& directory) {
  std::vector<std::string> paths;
  HW_TRY_VOID(AddFilesBelow(directory, "", &paths));
  std::sort(paths.begin(), paths.end());
  return paths;
}

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
    TreeDigest tree{.bytes = bytes, .digest = {}};
    HW_TRY(tree.digest, FileDigestHex(path, &tree.blocks));
    return tree;
  }
  HW_TRY(const std::vector<std::string> files, FilesBelow(path));
  TreeDigest tree;
  std::string lines;
  for (const std::string& file : files) {
    const std::string whole = (fs::path(path) / file).string();
    HW_TRY(const uint64_t bytes, FileBytes(whole));
    std::string blocks;
    HW_TRY(const std::string digest, FileDigestHex(whole, &blocks));
    tree.blocks += blocks;
    tree.bytes += bytes;
    lines += fmt::format("{} {} {}\n", file, bytes, digest);
  }
  tree.digest = DigestHex(std::as_bytes(std::span<const char>(lines.data(), lines.size())));
  return tree;
}

Result<void> CheckTree(const std::string& path, const TreeDigest& expected,
                       const std::atomic<bool>& stop) {
  if (expected.blocks.empty() && expected.bytes > 0) {
    HW_TRY(const TreeDigest found, DigestTree(path));
    if (found.digest == expected.digest) return {};
    return Fail(ErrorCode::kCorrupt,
                fmt::format("{}: expected digest {}, found {} (damaged: remove "
                            "the package and make it again)",
                            path, expected.digest, found.digest));
  }
  std::string_view blocks = expected.blocks;
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    HW_TRY_VOID(CheckBlocks(path, &blocks, stop));
  } else {
    HW_TRY(const std::vector<std::string> files, FilesBelow(path));
    for (const std::string& file : files)
      HW_TRY_VOID(CheckBlocks((fs::path(path) / file).string(), &blocks, stop));
  }
  if (blocks.empty() || stop.load(std::memory_order_relaxed)) return {};
  return Fail(ErrorCode::kCorrupt,
              fmt::format("{}: expected {} more blocks, found the end (damaged: remove the package "
                          "and make it again)",
                          path, blocks.size() / kBlockDigestDigits));
}

}  // namespace headway

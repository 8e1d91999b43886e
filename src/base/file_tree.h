#pragma once

// Size and digest of what a path names: a file, or a directory with everything in it (a Core ML
// package is a directory). Used by packages, which list both.

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace headway {

struct TreeDigest {
  uint64_t bytes = 0;  // of all regular files
  // Of a file: FileDigestHex. Of a directory: DigestHex of one line "path bytes digest\n" a file,
  // in order of their relative paths.
  std::string digest;
  // BlockDigests of all files, in that order; each file begins a block.
  std::string blocks = {};
  friend bool operator==(const TreeDigest&, const TreeDigest&) = default;
};

// Relative paths of the files below a directory, sorted. Errors: as DigestTree().
Result<std::vector<std::string>> FilesBelow(const std::string& directory);

// Bytes of all regular files at or below `path`. Errors: kNotFound, kIo.
Result<uint64_t> TreeBytes(const std::string& path);

// Reads everything. Errors: kNotFound, kIo; kCorrupt for anything that is neither file nor
// directory (links among them).
Result<TreeDigest> DigestTree(const std::string& path);

// Reads everything below `path`, which should have `bytes` bytes, and compares it with
// TreeDigest::blocks; without those (`blocks` is empty) with `digest`. Between
// blocks it stops without an error once `stop` is set; without blocks it reads to the end. Errors: kCorrupt, naming file and block; as DigestTree().
Result<void> CheckTree(const std::string& path, const TreeDigest& expected,
                       const std::atomic<bool>& stop);

}  // namespace headway

#pragma once

// Size and digest of what a path names: a file, or a directory with everything in it (a Core ML
// package is a directory). Used by packages, which list both.

#include <cstdint>
#include <string>

#include "base/result.h"

namespace headway {

struct TreeDigest {
  uint64_t bytes = 0;  // of all regular files
  // Of a file: FileDigestHex. Of a directory: DigestHex of one line "path bytes digest\n" a file,
  // in order of their relative paths.
  std::string digest;
  friend bool operator==(const TreeDigest&, const TreeDigest&) = default;
};

// Bytes of all regular files at or below `path`. Errors: kNotFound, kIo.
Result<uint64_t> TreeBytes(const std::string& path);

// Reads everything. Errors: kNotFound, kIo; kCorrupt for anything that is neither file nor
// directory (links among them).
Result<TreeDigest> DigestTree(const std::string& path);

}  // namespace headway

#pragma once

// What identifies a model file to the cache of packages: a digest of all its bytes, computed once
// and remembered beside what the file system says of the file.

#include <string>

#include "base/result.h"

namespace headway::pack {

// The digest of the whole file `path`, of a split model of all its parts. Read again when the file's device, inode, size or times have
// changed since it was remembered in the directory `memory`, when it changed in the last two
// seconds (times are that coarse on some systems), or when `reread` is set. A memory that cannot be
// read or written only costs time. Errors: kNotFound, kIo.
Result<std::string> SourceDigest(const std::string& path, const std::string& memory, bool reread);

}  // namespace headway::pack

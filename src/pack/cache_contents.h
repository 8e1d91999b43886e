#pragma once

// What lies in the cache of packages, and emptying it. Nothing is touched that Headway did not make.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace headway::pack {

// Where packages made from GGUF files go; see docs/cli.md. `named`: as asked for, or empty. Errors:
// kNotFound (the environment names none).
Result<std::string> CacheDirectory(const std::string& named);

// Makes it where it is not there, such that nobody else may write to it, whatever the umask: an
// ordinary one of 002 would let a group put packages there. Failures show when it is used.
void MakeCacheDirectory(const std::string& path);

struct CachedPackage {
  std::string name;    // of its directory
  std::string source;  // the model file's name; empty: another version's, or damaged
  uint64_t bytes = 0;
};

// By name. A cache that is not there is empty. Errors: kIo.
Result<std::vector<CachedPackage>> CachedPackages(const std::string& cache);

// Removes packages, those named or (no names) all, and then also what killed packs and remembered
// digests left; what another process is just making stays. Returns the bytes of packages. Errors:
// kNotFound (no package of a name: nothing was removed), kIo.
Result<uint64_t> CleanCache(const std::string& cache, std::span<const std::string> names);

}  // namespace headway::pack

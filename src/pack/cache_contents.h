#pragma once

// What lies in the cache (base/cache_directory.h): packages, and what the system compiled from
// programs (device/compiled_cache.h). And emptying it. Nothing is touched that Headway did not make.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace headway::pack {

struct CachedPackage {
  std::string name;    // of its directory, below the cache
  std::string source;  // the model file's name; empty: another version's, or damaged
  uint64_t bytes = 0;
  bool is_compiled = false;  // by the system, and `source` is its program's path
};

// By name, packages first. A cache that is not there is empty. Errors: kIo.
Result<std::vector<CachedPackage>> CachedPackages(const std::string& cache);

// Removes packages, those named or (no names) all, and then also what killed packs and remembered
// digests left; what another process is just making stays. Returns the bytes of packages. Errors:
// kNotFound (no package of a name: nothing was removed), kIo.
Result<uint64_t> CleanCache(const std::string& cache, std::span<const std::string> names);

}  // namespace headway::pack

#include "device/coreml/apple/compiled_model.h"

#import <CoreML/CoreML.h>
#include <fmt/format.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <vector>

#include "base/directory.h"
#include "base/file_tree.h"
#include "device/compiled_cache.h"
#include "device/coreml/apple/foundation.h"
#include "device/coreml/waiting.h"

namespace headway::coreml {
namespace {

namespace fs = std::filesystem;

// One line a file: its path in the package, its size and when it was written.
Result<std::string> Fingerprint(const fs::path& whole) {
  HW_TRY(const std::vector<std::string> files, FilesBelow(whole.string()));
  std::string text = FromNs([[NSProcessInfo processInfo] operatingSystemVersionString]) + "\n";
  for (const std::string& file : files) {
    const fs::path path = whole / file;
    std::error_code error;
    const uint64_t bytes = fs::file_size(path, error);
    const auto written = error ? fs::file_time_type() : fs::last_write_time(path, error);
    if (error) return Fail(ErrorCode::kIo, fmt::format("{}: {}", path.string(), error.message()));
    text += fmt::format("{} {} {}\n", file, bytes,
                        static_cast<long long>(written.time_since_epoch().count()));
  }
  return text;
}

// Compiles to a place that Core ML chooses.
Result<std::string> Compile(const std::string& path) {
  const Waiting<std::string> compiled;
  void (^const finished)(NSURL*, NSError*) = ^(NSURL* url, NSError* error) {
    @autoreleasepool {
      if (url != nil) {
        compiled.Resolve(FromNs([url path]));
      } else {
        compiled.Resolve(CoreMlFailed("could not compile", error));
      }
    }
  };
  const Result<void> begun = Guarded("could not compile", [&]() -> Result<void> {
    [MLModel compileModelAtURL:FileUrl(path) completionHandler:finished];
    return {};
  });
  if (!begun) return tl::unexpected<Error>(begun.error());
  return compiled.Wait();
}

}  // namespace

Result<std::string> CompiledModel(const std::string& path) {
  @autoreleasepool {
    std::error_code error;
    const fs::path whole = fs::canonical(path, error);
    if (error) return Fail(ErrorCode::kNotFound, fmt::format("{}: {}", path, error.message()));
    HW_TRY(const CompiledCache cache, CompiledCache::Open());
    HW_TRY(const std::string key, Fingerprint(whole));
    HW_TRY(std::string found, cache.Find(whole.string(), key));
    if (!found.empty()) return found;
    HW_TRY(const std::string compiled, Compile(path));
    auto kept = cache.Keep(whole.string(), key, compiled);
    RemoveTree(compiled);  // where it was copied, or another process was first
    return kept;
  }
}

}  // namespace headway::coreml

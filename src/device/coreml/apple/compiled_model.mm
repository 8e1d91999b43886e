#include "device/coreml/apple/compiled_model.h"

#import <CoreML/CoreML.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <vector>

#include "device/compiled_cache.h"
#include "device/coreml/apple/foundation.h"
#include "device/coreml/waiting.h"

namespace headway::coreml {
namespace {

namespace fs = std::filesystem;

// One line a file: its path in the package, its size and when it was written.
Result<std::string> Fingerprint(const fs::path& whole) {
  std::error_code error;
  std::vector<std::string> lines;
  for (auto it = fs::recursive_directory_iterator(whole, error);
       !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    struct stat status {};
    if (::stat(it->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    const auto written = fs::last_write_time(it->path(), error).time_since_epoch().count();
    lines.push_back(fmt::format("{} {} {}\n", fs::relative(it->path(), whole, error).string(),
                                static_cast<long long>(status.st_size),
                                static_cast<long long>(written)));
  }
  if (error) return Fail(ErrorCode::kIo, fmt::format("{}: {}", whole.string(), error.message()));
  std::sort(lines.begin(), lines.end());
  std::string text = FromNs([[NSProcessInfo processInfo] operatingSystemVersionString]) + "\n";
  for (const std::string& line : lines) text += line;
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
    fs::remove_all(compiled, error);  // where it was copied, or another process was first
    return kept;
  }
}

}  // namespace headway::coreml

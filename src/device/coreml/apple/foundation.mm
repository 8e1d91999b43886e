#include "device/coreml/apple/foundation.h"

#include <fmt/format.h>

namespace headway::coreml {
namespace {

// Errors lie in each other; as many as are shown.
constexpr int kMostErrors = 4;

}  // namespace

std::string FromNs(NSString* text) {
  const char* const bytes = [text UTF8String];
  return bytes == nullptr ? "" : bytes;
}

NSString* ToNs(const std::string& text) { return [NSString stringWithUTF8String:text.c_str()]; }

NSURL* FileUrl(const std::string& path) { return [NSURL fileURLWithPath:ToNs(path)]; }

NSArray<NSNumber*>* ToNs(const mil::Dims& numbers) {
  NSMutableArray<NSNumber*>* const array = [NSMutableArray arrayWithCapacity:numbers.size()];
  for (const int64_t number : numbers) [array addObject:[NSNumber numberWithLongLong:number]];
  return array;
}

mil::Dims FromNs(NSArray<NSNumber*>* numbers) {
  mil::Dims dims;
  for (NSNumber* number in numbers) dims.push_back([number longLongValue]);
  return dims;
}

tl::unexpected<Error> CoreMlFailed(const std::string& doing, NSError* error_or_nil) {
  std::string message = "Core ML: " + doing;
  NSError* error = error_or_nil;
  for (int i = 0; error != nil && i < kMostErrors; ++i) {
    message += fmt::format(": {} ({} {})", FromNs([error localizedDescription]),
                           FromNs([error domain]), static_cast<long long>([error code]));
    error = [[error userInfo] objectForKey:NSUnderlyingErrorKey];
  }
  if (error_or_nil == nil) message += ": it does not say why";
  return Fail(ErrorCode::kIo, std::move(message));
}

Result<void> Guarded(const std::string& doing, const std::function<Result<void>()>& work) {
  @try {
    return work();
  } @catch (NSException* exception) {
    return Fail(ErrorCode::kIo, fmt::format("Core ML: {}: exception {}: {}", doing,
                                            FromNs([exception name]), FromNs([exception reason])));
  }
}

}  // namespace headway::coreml

#pragma once

// Our words in Foundation's and back. Inside this folder only; to be called with an autorelease pool
// around.

#import <Foundation/Foundation.h>

#include <functional>
#include <string>

#include "base/result.h"
#include "device/coreml/ir/type.h"

namespace headway::coreml {

std::string FromNs(NSString* text);
// Autoreleased.
NSString* ToNs(const std::string& text);
NSURL* FileUrl(const std::string& path);
NSArray<NSNumber*>* ToNs(const mil::Dims& numbers);
mil::Dims FromNs(NSArray<NSNumber*>* numbers);

// kIo: "Core ML: could not load: <what it says> (<domain> <code>)", and what lies under it.
tl::unexpected<Error> CoreMlFailed(const std::string& doing, NSError* error_or_nil);

// Calls `work`, and turns an exception of Objective-C into an error of `doing`.
Result<void> Guarded(const std::string& doing, const std::function<Result<void>()>& work);

}  // namespace headway::coreml

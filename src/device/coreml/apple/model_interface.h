#pragma once

// What Core ML says that a model takes and gives, against what the package says. Inside this folder
// only; to be called with an autorelease pool around.

#import <CoreML/CoreML.h>

#include "base/result.h"
#include "device/coreml/ir/program.h"

namespace headway::coreml {

// Every input, output and state of `main`, with its shape and type. Errors: kCorrupt, naming it.
Result<void> CheckInterface(MLModelDescription* model, const mil::Function& main);

}  // namespace headway::coreml

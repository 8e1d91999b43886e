#pragma once

// Layers and heads that are programs, whatever runs them. Inside this folder only. The names and
// shapes of inputs and outputs are those that device/coreml/shards writes; anything else is refused
// when a shard is loaded, so that only the device can fail later.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "device/coreml/program.h"
#include "device/loaded_head_shard.h"
#include "device/loaded_layer_shard.h"

namespace headway::coreml {

// Tokens of one Run(), whatever the programs' widths: between two of them a session looks for an
// interrupt.
inline constexpr int64_t kMaxStepTokens = 16;

using Programs = std::vector<std::unique_ptr<LoadedProgram>>;

// Errors: kCorrupt, kUnsupported, kIo, naming the package.
Result<std::unique_ptr<LoadedLayerShard>> MakeLayers(Programs programs);
Result<std::unique_ptr<LoadedHeadShard>> MakeHead(Programs programs);

// Every compute op of all programs.
Residency ResidencyOf(const Programs& programs);

// What LoadedShard::FirstNotFinite() says: an op of the first program that has one.
std::optional<std::string> FirstNotFiniteOf(const Programs& programs);

// Of the weight file of the narrowest program.
int64_t WeightBytesOf(const std::vector<Width>& widths);

}  // namespace headway::coreml

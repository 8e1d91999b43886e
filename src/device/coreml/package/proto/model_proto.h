#pragma once

// model.mlmodel <-> mil::Model. The only folder that includes protobuf: callers see bytes and the
// program model, so that another serialisation can stand beside this one.

#include <cstddef>
#include <span>
#include <string>

#include "base/result.h"
#include "device/coreml/ir/model.h"

namespace headway::mil {

// Serialises `model`; map entries in sorted order, so that one model gives one byte string. The
// model is expected to verify. Errors (kUnsupported): more than 2 GB.
Result<std::string> EncodeModel(const Model& model);

// Parses bytes from outside. Checks form only (ranks, extents, element counts, known type numbers);
// VerifyModel checks meaning. Errors: kCorrupt (not a protobuf, contradictions, with the place),
// kUnsupported (model or feature types Headway does not handle, by name).
Result<Model> DecodeModel(std::span<const std::byte> bytes);

}  // namespace headway::mil

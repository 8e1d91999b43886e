#pragma once

// Types and constants of model.mlmodel, for decode.cc.

#include <string>
#include <utility>

#include "base/result.h"
#include "coreml_model.pb.h"
#include "device/coreml/ir/constant.h"

namespace headway::mil::proto {

// The file says what no program may say.
inline tl::unexpected<Error> Corrupt(std::string message) {
  return Fail(ErrorCode::kCorrupt, std::move(message));
}

// Errors: kCorrupt (rank and extents that disagree, extents above 2^63, unknown type numbers),
// kUnsupported (lists, tuples, dictionaries).
Result<Type> DecodeType(const coreml_proto::ValueType& in);

// Errors as DecodeType, and kCorrupt when the value has another number of elements than its type
// says.
Result<Constant> DecodeConstant(const coreml_proto::Value& in);

}  // namespace headway::mil::proto

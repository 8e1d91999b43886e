#pragma once

// The arithmetic of the constexpr ops, element range by element range. Products are computed in the
// type of the scale or table: with fp16 they are rounded to fp16, as Apple's own decompressor does.

#include <map>
#include <string>

#include "device/coreml/run/constants.h"

namespace headway::mil {

struct ConstexprPart {
  TensorType type;
  ElementDecoder decoder;
};
using ConstexprParts = std::map<std::string, ConstexprPart>;

// Packed elements of any numeric type. `bytes` must outlive the decoder.
ElementDecoder DecodePlain(DType dtype, std::span<const std::byte> bytes);

// The decoder of one constexpr op of type `op`, its parameters given. Errors: kUnsupported (no such
// op), kCorrupt (a mask with another number of ones than values).
Result<ElementDecoder> DecodeConstexpr(const std::string& op, const TensorType& result,
                                       ConstexprParts parts);

}  // namespace headway::mil

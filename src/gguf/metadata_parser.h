#pragma once

// The metadata section of a GGUF file: keys and typed values, checked to their last byte but not
// copied.

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "gguf/cursor.h"
#include "gguf/value.h"

namespace headway::gguf {

// Reads `count` entries. Errors: kCorrupt: truncated, unknown value type, bool that is neither 0
// nor 1, arrays nested deeper than kMaxArrayDepth, empty key. Duplicates are the caller's to find.
Result<std::vector<MetadataEntry>> ParseMetadata(Cursor& cursor, uint64_t count);

}  // namespace headway::gguf

#pragma once

// Model files with a few bytes changed in place: a metadata number, or weights.

#include <cstdint>
#include <string>

namespace headway::parity {

// Changes the u32 value of a metadata key. A file without the key is a test failure.
void PatchU32(const std::string& gguf_path, const std::string& key, uint32_t value);

// Makes one stored block of row `row` of a tensor decode to NaN: the first element of a float type,
// the scale of a quantised one.
void PoisonRow(const std::string& gguf_path, const std::string& tensor, int64_t row);

// Flips one bit of the file.
void FlipBit(const std::string& path, int64_t offset_bytes);

}  // namespace headway::parity

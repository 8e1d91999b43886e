#pragma once

// Weights as the kernels read them: tiles of 64 rows in four strips of 16, interleaved so that one
// 512-bit vector holds four consecutive channels of each of a strip's 16 rows (one 32-bit lane a
// row). Sums stay in their lane: no horizontal adds, and a row's sum never depends on its
// neighbours. A tile has exactly the bytes of its 64 rows in GGUF, each strip rounded up to 64.
// Layouts per type, and why four strips: docs/formats/tiles.md.

#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor/data_type.h"

namespace headway::kernels {

inline constexpr int64_t kTileRows = 64;
inline constexpr int64_t kStripRows = 16;  // rows of one vector
inline constexpr int64_t kTileStrips = kTileRows / kStripRows;

inline int64_t NumTiles(int64_t num_rows) { return (num_rows + kTileRows - 1) / kTileRows; }

// Bytes of one tile of `num_channels` channels; a multiple of 64.
int64_t TileBytes(DataType type, int64_t num_channels);

// Repacks up to 64 GGUF rows (rows[i] points to row i; missing rows at the end become zeros) into
// one tile. `tile` has TileBytes() bytes. Exact: no value changes.
void PackTile(DataType type, std::span<const std::byte* const> rows, int64_t num_channels,
              std::byte* tile);

// Writes row `row` (0..63) of a tile as num_channels floats: the values DequantiseRow would give
// for the GGUF row.
void UnpackTileRow(DataType type, const std::byte* tile, int64_t row, int64_t num_channels,
                   float* out);

}  // namespace headway::kernels

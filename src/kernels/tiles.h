#pragma once

// Weights as the kernels read them: tiles of 16 rows, interleaved so that one 512-bit vector holds
// four consecutive channels of each of the 16 rows (one 32-bit lane a row). Sums stay in their
// lane: no horizontal adds, and a row's sum never depends on its neighbours. A tile has exactly the
// bytes of its 16 rows in GGUF, rounded up to 64. Layouts per type: docs/formats/tiles.md.

#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor/data_type.h"

namespace headway::kernels {

inline constexpr int64_t kTileRows = 16;

inline int64_t NumTiles(int64_t num_rows) { return (num_rows + kTileRows - 1) / kTileRows; }

// Bytes of one tile of `num_channels` channels; a multiple of 64.
int64_t TileBytes(DataType type, int64_t num_channels);

// Repacks up to 16 GGUF rows (rows[i] points to row i; missing rows at the end become zeros) into
// one tile. `tile` has TileBytes() bytes. Exact: no value changes.
void PackTile(DataType type, std::span<const std::byte* const> rows, int64_t num_channels,
              std::byte* tile);

// Writes row `row` (0..15) of a tile as num_channels floats: the values DequantiseRow would give
// for the GGUF row.
void UnpackTileRow(DataType type, const std::byte* tile, int64_t row, int64_t num_channels,
                   float* out);

}  // namespace headway::kernels

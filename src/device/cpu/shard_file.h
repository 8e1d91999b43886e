#pragma once

// The file format of the cpu device's shards (docs/formats/shard.md): header, graph text, weights
// at derived offsets.

#include <cstdint>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/mapped_file.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "graph/graph.h"

namespace headway::cpu {

// How a weight is stored.
enum class Layout : uint8_t {
  kRows,    // GGUF's rows: vectors, embedding tables
  kTile16,  // kernels/tiles.h: matrices that a linear multiplies
};

struct StoredWeight {
  Layout layout = Layout::kRows;
  uint64_t offset_bytes = 0;  // from the start of the weights
  uint64_t size_bytes = 0;
};

struct StoredWeights {
  std::vector<StoredWeight> weights;  // by graph::WeightId
  uint64_t total_bytes = 0;
};

// Where every weight of a verified graph stands. Errors: kUnsupported when a matrix is both a
// linear's and an embedding's.
Result<StoredWeights> LayOut(const graph::Graph& graph);

inline constexpr uint64_t kWeightAlignment = 64;
inline constexpr uint64_t kDataAlignment = 4096;

struct ShardHeader {
  char magic[8];
  uint64_t text_bytes;
  uint64_t data_offset;
  uint64_t data_bytes;
};
static_assert(sizeof(ShardHeader) == 32);
inline constexpr char kShardMagic[9] = "HWSHARD3";
// Of a file with so long a graph's text and so many bytes of weights behind it.
ShardHeader MakeShardHeader(uint64_t text_bytes, uint64_t data_bytes);

// An opened shard. Weight pointers view the mapping or its copy: valid while this object lives.
struct ShardFile {
  MappedFile mapping;
  AlignedBuffer copy;  // of the weights; empty: they are read from the mapping
  graph::Graph graph;
  StoredWeights stored;
  const std::byte* data = nullptr;

  const std::byte* WeightData(graph::WeightId id) const {
    return data + stored.weights[static_cast<size_t>(id)].offset_bytes;
  }

  // Errors: kNotFound, kIo, kCorrupt.
  static Result<ShardFile> Open(const std::string& path);

  // Reads the weights into huge pages and lets go of the mapping. Weights streamed through 4 KiB
  // pages of a mapped file come at 65 to 75 % of the memory's speed on a virtual machine, where a
  // TLB miss walks two page tables (docs/perf-log.md). Errors: kIo.
  Result<void> CopyToHugePages(ThreadPool* pool);
};

}  // namespace headway::cpu

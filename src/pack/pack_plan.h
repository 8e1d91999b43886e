#pragma once

// What a package will hold, decided before the first byte is written: bad requests fail early and
// leave nothing behind. Inside this folder only.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "device/device.h"
#include "gguf/gguf_file.h"
#include "graph/cut.h"
#include "graph/graph.h"
#include "manifest/head_kind.h"
#include "manifest/model_config.h"
#include "pack/pack.h"
#include "tensor/tensor_view.h"
#include "tokenizer/tokenizer.h"

namespace headway::pack {

struct PackPlan {
  ModelConfig model;
  std::vector<std::pair<graph::Range, graph::Graph>> layers;
  struct PlannedHead {
    HeadKind kind;
    std::vector<std::pair<graph::Range, graph::Graph>> shards;  // empty: those of heads[shares]
    size_t shares = 0;
    std::vector<int32_t> first_ids;  // reduced:K: the rows of `first`, ascending; else empty
    graph::Graph first;
  };
  std::vector<PlannedHead> heads;
  bool auto_head = false;         // full:4 is planned; a certified head may come before it
  bool may_be_certified = false;  // with auto_head: device and shape allow one that pays
  graph::Graph head;              // before it is cut into shards
  std::string head_weight;        // the tensor of the head's rows
  graph::Graph embedding;
  bool own_embedding = false;
  int64_t max_seq = 0;
  uint64_t total_bytes = 0;
};

// Errors: those of reading the model; kInvalidInput (topology, heads, positions); kUnsupported (a
// head kind or a width that the device does not have).
Result<PackPlan> MakePackPlan(const gguf::GgufFile& file, const PackOptions& options,
                              Emitter* emitter);

// The rows that a reduced head computes before it looks at any other (docs/certified_head.md): the
// `count` (at most vocab_size) tokens that `text` uses most, ties and tokens that it does not
// use by id: byte-pair vocabularies number their merges by use. Ascending. Errors: those of
// Tokenizer::Encode.
Result<std::vector<int32_t>> MostUsedTokens(const tokenizer::Tokenizer& tokenizer,
                                            std::string_view text, int64_t vocab_size,
                                            int64_t count);

// A copy of some rows of a tensor, in the order of `ids`.
class GatheredRows {
 public:
  // The tensor's name must outlive this object; `ids` are rows of it.
  GatheredRows(const ConstTensorView& tensor, std::span<const int32_t> ids);

  // Valid as long as this object.
  ConstTensorView View() const;

 private:
  ConstTensorView view_;
  std::vector<std::byte> bytes_;
};

}  // namespace headway::pack

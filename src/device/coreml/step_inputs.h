#pragma once

// A step of layers, cut into pieces that a program takes: consecutive tokens of one conversation,
// and the arrays of each. Inside this folder only.

#include <array>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "device/coreml/program.h"
#include "device/step.h"

namespace headway::coreml {

// What the inputs' shapes follow from.
struct LayersShape {
  int64_t D = 0, pairs = 0, max_seq = 0;
  bool outside = false;  // keys and values are inputs (layers_state.h): no states, no write mask
  float residual_scale = 1.0F;     // hidden states are given and taken times this
  std::set<int64_t> tables = {};   // of rotary, that the layers turn by
  std::set<int64_t> windows = {};  // positions that layers see; 0: all

  // Whether steps of both can share their arrays.
  bool TakesAlike(const LayersShape& other) const {
    return D == other.D && max_seq == other.max_seq && outside == other.outside &&
           residual_scale == other.residual_scale &&
           (pairs == other.pairs || pairs == 0 || other.pairs == 0);
  }
  // As one that takes what `other` takes, too, which is alike.
  void Include(const LayersShape& other);
  friend bool operator==(const LayersShape&, const LayersShape&) = default;
};

// Whether a program has the shapes of one token alone, told by the rank of its rotary tables.
bool IsSingle(const LoadedProgram& program);
// Errors: kCorrupt.
Result<LayersShape> LayersShapeOf(const LoadedProgram& program);
// The factor on a program's hidden states, in its metadata. Errors: kCorrupt.
Result<float> ResidualScaleOf(const LoadedProgram& program);
// The inputs of a step of `tokens` (device/coreml/shards/layer_shard.h), but for caches.
std::map<std::string, mil::Dims> LayersInputDims(const LayersShape& shape, int64_t tokens,
                                                 bool single);

struct PieceArrays {
  Arrays inputs = {};                  // those of LayersInputDims(), for all shards that share them
  std::array<Arrays, 2> outputs = {};  // "hidden" of shards that run in turn
};

struct Piece {
  size_t row = 0;        // of the step
  int64_t token = 0;     // the first, in the step
  int64_t position = 0;  // of the first, in its conversation
  int64_t count = 0;
  size_t width = 0;  // index of the width that takes it
  PieceArrays arrays = {};
};

// The pieces of steps through shards of one shape, and their arrays, made at first use. Used by one
// step at a time.
class StepInputs final : public ShardWorkspace {
 public:
  // Cuts the step and fills the inputs of every piece: its tokens, and padding up to the width that
  // writes nothing. The pieces are valid until the next call. Errors: those of Runner::NewArray().
  Result<std::vector<Piece>*> Fill(const StepArgs& args, const std::vector<Width>& widths,
                                   const LayersShape& shape);

 private:
  // Those of the shape that are not there yet.
  static Result<void> AddArrays(const Width& width, const LayersShape& shape, PieceArrays* arrays);

  struct Made {
    LayersShape shape;  // that the arrays are for
    PieceArrays arrays;
  };
  std::vector<Piece> pieces_;
  // By place in the step and width.
  std::map<std::pair<size_t, size_t>, Made> made_;
};

}  // namespace headway::coreml

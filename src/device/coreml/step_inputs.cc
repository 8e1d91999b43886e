#include "device/coreml/step_inputs.h"

#include <fmt/format.h>

#include <algorithm>

#include "device/coreml/layers_state.h"

namespace headway::coreml {
namespace {

// Added to scores of positions that a token must not see; the value of Apple's own rules: infinities
// and larger numbers overflow in sums.
constexpr float kMasked = -4e4F;

F16* HalvesOf(const Arrays& arrays, const char* name) {
  return static_cast<HostArray&>(*arrays.at(name)).Halves();
}

// The positions that a token may see: those of the cache, and without states the piece's own.
int64_t MaskColumns(const LayersShape& s, int64_t T) {
  return s.outside ? s.max_seq + T : s.max_seq;
}

void FillPiece(const StepArgs& args, const LayersShape& s, int64_t T, const Piece& piece) {
  F16* const x = HalvesOf(piece.arrays.inputs, "x");
  F16* const cos = HalvesOf(piece.arrays.inputs, "rope_cos");
  F16* const sin = HalvesOf(piece.arrays.inputs, "rope_sin");
  F16* const mask = HalvesOf(piece.arrays.inputs, "attn_mask");
  F16* const write = s.outside ? nullptr : HalvesOf(piece.arrays.inputs, "kv_write_mask");
  const F16 zero = ToF16(0.0F);
  const int64_t seen = MaskColumns(s, T);
  std::fill_n(mask, T * seen, ToF16(kMasked));
  if (write != nullptr) std::fill_n(write, s.max_seq * T, zero);
  for (int64_t t = 0; t < T; ++t) {
    const bool is_padding = t >= piece.count;
    const int64_t position = piece.position + std::min(t, piece.count - 1);
    const int64_t token = piece.token + t;
    F16* const its_mask = mask + t * seen;
    if (s.outside) {  // the cache ends before this piece; then its own columns
      std::fill_n(its_mask, piece.position, zero);
      std::fill_n(its_mask + s.max_seq, position - piece.position + 1, zero);
    } else {
      std::fill_n(its_mask, position + 1, zero);
    }
    for (int64_t c = 0; c < s.D; ++c)
      x[c * T + t] = is_padding ? zero : ToF16(args.input[token * s.D + c]);
    for (int64_t i = 0; i < s.pairs; ++i) {
      cos[i * T + t] = is_padding ? zero : ToF16(args.rotary_cos[token * s.pairs + i]);
      sin[i * T + t] = is_padding ? zero : ToF16(args.rotary_sin[token * s.pairs + i]);
    }
    if (!is_padding && write != nullptr) write[position * T + t] = ToF16(1.0F);
  }
}

}  // namespace

bool IsSingle(const LoadedProgram& program) {
  const mil::TensorType* const rope = program.Input("rope_cos");
  return rope != nullptr && rope->dims.size() == 2;
}

Result<LayersShape> LayersShapeOf(const LoadedProgram& program) {
  const mil::TensorType* const x = program.Input("x");
  const mil::TensorType* const rope = program.Input("rope_cos");
  const mil::TensorType* const mask = program.Input("attn_mask");
  if (x == nullptr || rope == nullptr || mask == nullptr || x->dims.size() != 4 ||
      mask->dims.size() != 4 || (rope->dims.size() != 2 && rope->dims.size() != 4)) {
    return BadProgram(program.path, "expected the inputs x, rope_cos and attn_mask of layers");
  }
  const Caches caches = CachesOf(program);
  if (!caches.empty() && !mil::StatesOf(*program.main).empty())
    return BadProgram(program.path, "expected states or caches that are inputs, found both");
  LayersShape shape{.D = x->dims[1],
                    .pairs = rope->dims[rope->dims.size() == 2 ? 1 : 2],
                    .max_seq = mask->dims[3],
                    .outside = !caches.empty()};
  for (const auto& [name, type] : caches) {
    const bool first = name == caches.begin()->first;
    if (type.dims.size() != 4 || type.dtype != mil::DType::kF16 || name.find("_cache_") != 1 ||
        (!first && type.dims[3] != shape.max_seq))
      return BadProgram(program.path, fmt::format("expected a cache [1, Hk, d, S], found '{}' {}",
                                                  name, mil::ToString(type.dims)));
    shape.max_seq = type.dims[3];
  }
  return shape;
}

std::map<std::string, mil::Dims> LayersInputDims(const LayersShape& s, int64_t tokens,
                                                 bool single) {
  const mil::Dims rope = single ? mil::Dims{1, s.pairs} : mil::Dims{1, 1, s.pairs, tokens};
  std::map<std::string, mil::Dims> dims = {{"x", {1, s.D, tokens, 1}},
                                           {"rope_cos", rope},
                                           {"rope_sin", rope},
                                           {"attn_mask", {1, 1, tokens, MaskColumns(s, tokens)}}};
  if (!s.outside) dims["kv_write_mask"] = {1, 1, s.max_seq, tokens};
  return dims;
}

Result<PieceArrays> StepInputs::MakeArrays(const Width& width, const LayersShape& shape) {
  PieceArrays arrays;
  Runner& runner = *width.program->runner;
  const auto dims = LayersInputDims(shape, width.tokens, IsSingle(*width.program));
  for (const auto& [name, extents] : dims) {
    HW_TRY(arrays.inputs[name], runner.NewArray({mil::DType::kF16, extents}));
  }
  for (Arrays& outputs : arrays.outputs) {
    HW_TRY(outputs["hidden"], runner.NewArray({mil::DType::kF16, {1, shape.D, width.tokens, 1}}));
  }
  return arrays;
}

Result<std::vector<Piece>*> StepInputs::Fill(const StepArgs& args, const std::vector<Width>& widths,
                                             const LayersShape& shape) {
  pieces_.clear();
  int64_t token = 0;
  for (size_t r = 0; r < args.rows.size(); ++r) {
    const StepRow& row = args.rows[r];
    for (int64_t done = 0; done < row.num_tokens;) {
      const Width& width = PickWidth(widths, row.num_tokens - done);
      Piece piece{.row = r,
                  .token = token + done,
                  .position = row.first_position + done,
                  .count = std::min(width.tokens, row.num_tokens - done),
                  .width = static_cast<size_t>(&width - widths.data())};
      const std::pair key(pieces_.size(), piece.width);
      auto made = made_.find(key);
      if (made == made_.end()) {
        HW_TRY(PieceArrays arrays, MakeArrays(width, shape));
        made = made_.emplace(key, std::move(arrays)).first;
      }
      piece.arrays = made->second;
      FillPiece(args, shape, width.tokens, piece);
      done += piece.count;
      pieces_.push_back(std::move(piece));
    }
    token += row.num_tokens;
  }
  return &pieces_;
}

}  // namespace headway::coreml

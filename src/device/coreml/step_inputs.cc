#include "device/coreml/step_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <system_error>

#include "base/from_chars.h"
#include "device/coreml/emitter.h"
#include "device/coreml/half_range.h"
#include "device/coreml/layers_state.h"
#include "device/coreml/shards/layer_shard.h"

namespace headway::coreml {
namespace {

F16* HalvesOf(const Arrays& arrays, const std::string& name) {
  return static_cast<HostArray&>(*arrays.at(name)).Halves();
}

// The numbers in the names of a program's inputs that begin so and have one: "attn_mask_w512".
std::set<int64_t> NumbersOf(const LoadedProgram& program, const std::string& plain,
                            const std::string& numbered) {
  std::set<int64_t> numbers;
  for (const mil::NamedType& input : program.main->inputs) {
    if (input.name == plain) numbers.insert(0);
    if (input.name.rfind(numbered, 0) != 0) continue;
    int64_t number = 0;
    const char* const end = input.name.data() + input.name.size();
    const auto parsed = std::from_chars(input.name.data() + numbered.size(), end, number);
    if (parsed.ec == std::errc() && parsed.ptr == end && number > 0) numbers.insert(number);
  }
  return numbers;
}

// The positions that a token may see: those of the cache, and without states the piece's own.
int64_t MaskColumns(const LayersShape& s, int64_t T) {
  return s.outside ? s.max_seq + T : s.max_seq;
}

// Of layers that see `window` positions, 0: all.
void FillMask(const LayersShape& s, int64_t T, int64_t window, const Piece& piece) {
  F16* const mask = HalvesOf(piece.arrays.inputs, mil::MaskInput(window));
  const F16 zero = ToF16(0.0F);
  const int64_t seen = MaskColumns(s, T);
  std::fill_n(mask, T * seen, ToF16(mil::kMasked));
  for (int64_t t = 0; t < T; ++t) {
    const int64_t position = piece.position + std::min(t, piece.count - 1);
    const int64_t first = window == 0 ? 0 : std::max<int64_t>(0, position - window + 1);
    F16* const its_mask = mask + t * seen;
    if (!s.outside) {
      std::fill(its_mask + first, its_mask + position + 1, zero);
      continue;
    }
    // The cache ends before this piece; then its own columns.
    if (first < piece.position) std::fill(its_mask + first, its_mask + piece.position, zero);
    F16* const own = its_mask + s.max_seq;
    std::fill(own + std::max<int64_t>(0, first - piece.position),
              own + position - piece.position + 1, zero);
  }
}

void FillRotary(const StepArgs& args, const LayersShape& s, int64_t T, const Piece& piece) {
  const F16 zero = ToF16(0.0F);
  for (const int64_t table : s.tables) {
    F16* const cos = HalvesOf(piece.arrays.inputs, mil::RotaryInput("cos", table));
    F16* const sin = HalvesOf(piece.arrays.inputs, mil::RotaryInput("sin", table));
    const float* const all_cos = args.rotary_cos + table * args.rotary_table_stride;
    const float* const all_sin = args.rotary_sin + table * args.rotary_table_stride;
    for (int64_t t = 0; t < T; ++t) {
      const bool is_padding = t >= piece.count;
      const int64_t first = (piece.token + t) * s.pairs;
      for (int64_t i = 0; i < s.pairs; ++i) {
        cos[i * T + t] = is_padding ? zero : ToF16(all_cos[first + i]);
        sin[i * T + t] = is_padding ? zero : ToF16(all_sin[first + i]);
      }
    }
  }
}

void FillPiece(const StepArgs& args, const LayersShape& s, int64_t T, const Piece& piece) {
  F16* const x = HalvesOf(piece.arrays.inputs, "x");
  F16* const write = s.outside ? nullptr : HalvesOf(piece.arrays.inputs, "kv_write_mask");
  const F16 zero = ToF16(0.0F);
  for (const int64_t window : s.windows) FillMask(s, T, window, piece);
  FillRotary(args, s, T, piece);
  if (write != nullptr) std::fill_n(write, s.max_seq * T, zero);
  for (int64_t t = 0; t < T; ++t) {
    const bool is_padding = t >= piece.count;
    const float* const own = args.input + (piece.token + t) * s.D;
    for (int64_t c = 0; c < s.D; ++c)
      x[c * T + t] = is_padding ? zero : ToF16(own[c] * s.residual_scale);
    if (!is_padding && write != nullptr) write[(piece.position + t) * T + t] = ToF16(1.0F);
  }
}

}  // namespace

bool IsSingle(const LoadedProgram& program) {
  const mil::TensorType* const rope = program.Input("rope_cos");
  return rope != nullptr && rope->dims.size() == 2;
}

Result<LayersShape> LayersShapeOf(const LoadedProgram& program) {
  const mil::TensorType* const x = program.Input("x");
  const std::set<int64_t> tables = NumbersOf(program, "rope_cos", "rope_cos_");
  const std::set<int64_t> windows = NumbersOf(program, "attn_mask", "attn_mask_w");
  const mil::TensorType* const rope =
      tables.empty() ? nullptr : program.Input(mil::RotaryInput("cos", *tables.begin()));
  const mil::TensorType* const mask =
      windows.empty() ? nullptr : program.Input(mil::MaskInput(*windows.begin()));
  if (x == nullptr || mask == nullptr || x->dims.size() != 4 || mask->dims.size() != 4 ||
      (rope != nullptr && rope->dims.size() != 2 && rope->dims.size() != 4)) {
    return BadProgram(program.path, "expected the inputs x and attn_mask of layers");
  }
  const Caches caches = CachesOf(program);
  if (!caches.empty() && !mil::StatesOf(*program.main).empty())
    return BadProgram(program.path, "expected states or caches that are inputs, found both");
  LayersShape shape{.D = x->dims[1],
                    .pairs = rope == nullptr ? 0 : rope->dims[rope->dims.size() == 2 ? 1 : 2],
                    .max_seq = mask->dims[3],
                    .outside = !caches.empty(),
                    .tables = tables,
                    .windows = windows};
  HW_TRY(shape.residual_scale, ResidualScaleOf(program));
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
  std::map<std::string, mil::Dims> dims = {{"x", {1, s.D, tokens, 1}}};
  for (const int64_t table : s.tables) {
    dims[mil::RotaryInput("cos", table)] = rope;
    dims[mil::RotaryInput("sin", table)] = rope;
  }
  for (const int64_t window : s.windows)
    dims[mil::MaskInput(window)] = {1, 1, tokens, MaskColumns(s, tokens)};
  if (!s.outside) dims["kv_write_mask"] = {1, 1, s.max_seq, tokens};
  return dims;
}

void LayersShape::Include(const LayersShape& other) {
  pairs = std::max(pairs, other.pairs);
  tables.insert(other.tables.begin(), other.tables.end());
  windows.insert(other.windows.begin(), other.windows.end());
}

Result<float> ResidualScaleOf(const LoadedProgram& program) {
  const auto& metadata = program.package->model.metadata.user_defined;
  const auto found = metadata.find(kResidualScaleKey);
  if (found == metadata.end()) return 1.0F;
  float scale = 0.0F;
  const char* const end = found->second.data() + found->second.size();
  const auto parsed = FromChars(found->second.data(), end, scale);
  if (parsed.ec == std::errc() && parsed.ptr == end && scale <= 1 && IsPowerOfTwo(scale))
    return scale;
  return BadProgram(program.path,
                    fmt::format("{}: expected a power of two of at most 1, found '{}'",
                                kResidualScaleKey, found->second));
}

Result<void> StepInputs::AddArrays(const Width& width, const LayersShape& shape,
                                   PieceArrays* arrays) {
  Runner& runner = *width.program->runner;
  const auto dims = LayersInputDims(shape, width.tokens, IsSingle(*width.program));
  for (const auto& [name, extents] : dims) {
    if (arrays->inputs.count(name) > 0) continue;
    HW_TRY(arrays->inputs[name], runner.NewArray({mil::DType::kF16, extents}));
  }
  for (Arrays& outputs : arrays->outputs) {
    if (!outputs.empty()) continue;
    HW_TRY(outputs["hidden"], runner.NewArray({mil::DType::kF16, {1, shape.D, width.tokens, 1}}));
  }
  return {};
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
      Made& made = made_[key];
      if (!(made.shape == shape)) {
        HW_TRY_VOID(AddArrays(width, shape, &made.arrays));
        made.shape = shape;
      }
      piece.arrays = made.arrays;
      FillPiece(args, shape, width.tokens, piece);
      done += piece.count;
      pieces_.push_back(std::move(piece));
    }
    token += row.num_tokens;
  }
  return &pieces_;
}

}  // namespace headway::coreml

#include "lmhead/head_fixture.h"

#include <cstdlib>
#include <random>

#include "base/check.h"
#include "kernels/tiles.h"
#include "tensor/codec.h"

namespace headway::lmhead {

std::vector<float> Normals(size_t count, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(generator);
  return values;
}

const kernels::KernelSet& TestKernels() {
  static const kernels::SelectedKernels selected_once = [] {
    const char* forced = std::getenv("HEADWAY_CPU");
    auto selected = kernels::SelectKernels(forced == nullptr ? "" : forced);
    HW_CHECK(selected.has_value(), "kernels for this processor");
    return *selected;
  }();
  return selected_once.kernels;
}

TestHead::TestHead(DataType type, int64_t num_rows, int64_t num_channels,
                   std::span<const float> rows)
    : type_(type), num_rows_(num_rows), num_channels_(num_channels) {
  const auto row_bytes = static_cast<size_t>(RowBytes(type, num_channels));
  stored_.resize(row_bytes * static_cast<size_t>(num_rows));
  for (int64_t row = 0; row < num_rows; ++row) {
    QuantiseRow(type, rows.data() + row * num_channels, num_channels,
                stored_.data() + static_cast<size_t>(row) * row_bytes);
  }
  const int64_t tile_bytes = kernels::TileBytes(type, num_channels);
  tiles_ = AlignedBuffer(static_cast<size_t>(kernels::NumTiles(num_rows) * tile_bytes));
  for (int64_t tile = 0; tile < kernels::NumTiles(num_rows); ++tile) {
    std::vector<const std::byte*> pointers;
    for (int64_t row = tile * kernels::kTileRows;
         row < std::min(num_rows, (tile + 1) * kernels::kTileRows); ++row) {
      pointers.push_back(stored_.data() + static_cast<size_t>(row) * row_bytes);
    }
    kernels::PackTile(type, pointers, num_channels, tiles_.data() + tile * tile_bytes);
  }
}

ConstTensorView TestHead::View() const {
  return {.type = type_,
          .shape = {num_rows_, num_channels_},
          .row_stride_bytes = RowBytes(type_, num_channels_),
          .data = stored_.data(),
          .name = "test head"};
}

std::vector<float> TestHead::Row(int64_t row) const {
  std::vector<float> values(static_cast<size_t>(num_channels_));
  DequantiseRow(type_, View().Row(row), num_channels_, values.data());
  return values;
}

Planes TestHead::Build(const RotationSeed& seed, ThreadPool* pool, int64_t most_directions) const {
  auto bytes = BuildPlanes(
      View(), {.seed = seed, .most_directions = most_directions, .rows_digest = kTestDigest}, pool);
  HW_CHECK(bytes.has_value(), "planes of a test head");
  auto planes = Planes::FromBytes(*std::move(bytes), kTestDigest);
  HW_CHECK(planes.has_value(), "planes of a test head open");
  return *std::move(planes);
}

std::vector<float> TestHead::SetStates(std::span<const float> states) {
  states_.assign(states.begin(), states.end());
  quantised_.clear();
  if (!IsQuantised(type_)) return states_;
  const int64_t num_states = static_cast<int64_t>(states.size()) / num_channels_;
  for (int64_t t = 0; t < num_states; ++t) {
    quantised_.emplace_back(static_cast<size_t>(kernels::QuantisedRowsBytes(1, num_channels_)));
    const kernels::MatMulArgs args = Product(t);
    TestKernels().quantise_rows(states_.data() + t * num_channels_, num_channels_, 0, 1, args.xq);
    for (int64_t c = 0; c < num_channels_; ++c) {
      const kernels::ActivationBlock& block = *args.xq.Block(0, c / 32);
      states_[static_cast<size_t>(t * num_channels_ + c)] =
          static_cast<float>(block.q[c % 32]) * block.scale;
    }
  }
  return states_;
}

kernels::MatMulArgs TestHead::Product(int64_t state) const {
  kernels::MatMulArgs args{.tiles = tiles_.data(),
                           .num_rows = num_rows_,
                           .num_channels = num_channels_,
                           .num_tokens = 1,
                           .xq = {},
                           .x = states_.data() + state * num_channels_,
                           .x_stride = num_channels_,
                           .y_stride = num_rows_};
  if (IsQuantised(type_)) {
    auto* blocks = const_cast<AlignedBuffer&>(quantised_[static_cast<size_t>(state)])
                       .Pointer<kernels::ActivationBlock>();
    args.xq = {.blocks = blocks, .num_tokens = 1, .num_channels = num_channels_};
  }
  return args;
}

std::vector<float> TestHead::FullLogits(int64_t state) const {
  std::vector<float> logits(static_cast<size_t>(num_rows_));
  kernels::MatMulArgs args = Product(state);
  args.tile_end = kernels::NumTiles(num_rows_);
  args.y = logits.data();
  TestKernels().matmul[static_cast<size_t>(type_)](args);
  if (soft_cap_ > 0.0F) TestKernels().soft_cap(soft_cap_, num_rows_, logits.data());
  return logits;
}

int64_t TestHead::StripBytes() const {
  return kernels::TileBytes(type_, num_channels_) / kernels::kTileStrips;
}

int64_t TestHead::FullBytes() const {
  return kernels::NumTiles(num_rows_) * kernels::TileBytes(type_, num_channels_);
}

void TestHead::Compute(int64_t strip, int64_t state, float* logits) noexcept {
  kernels::MatMulArgs args = Product(state);
  args.tile_begin = strip / kernels::kTileStrips;
  args.tile_end = args.tile_begin + 1;
  args.strip_begin = strip % kernels::kTileStrips;
  args.strip_end = args.strip_begin + 1;
  args.y = logits;
  TestKernels().matmul[static_cast<size_t>(type_)](args);
  const int64_t first = strip * kernels::kStripRows;
  const int64_t count = std::min(kernels::kStripRows, num_rows_ - first);
  if (soft_cap_ > 0.0F) TestKernels().soft_cap(soft_cap_, count, logits + first);
}

std::vector<float> StateFor(const TestHead& head, int64_t winner, double margin, uint32_t seed) {
  const auto D = static_cast<size_t>(head.NumChannels());
  std::vector<float> state = Normals(D, seed);
  const std::vector<float> row = head.Row(winner);
  double norm = 0.0;
  for (const float value : row) norm += static_cast<double>(value) * value;
  const double factor = margin / std::sqrt(std::max(norm, 1e-30));
  for (size_t c = 0; c < D; ++c) state[c] += static_cast<float>(row[c] * factor);
  return state;
}

int32_t ArgMax(std::span<const float> values) {
  return static_cast<int32_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

int32_t Best(std::span<const Candidate> candidates) {
  const Candidate* best = nullptr;
  for (const Candidate& candidate : candidates) {
    if (best == nullptr || candidate.logit > best->logit) best = &candidate;
  }
  return best == nullptr ? -1 : best->id;
}

bool CheckState(Search* search, TestHead* head, std::span<const float> state) {
  const std::vector<float> hidden = head->SetStates(state);
  search->Screen(hidden.data(), 1, 1);
  const SearchEvidence evidence = search->Decide(0, {});
  if (!evidence.decided) return false;
  const std::vector<float> full = head->FullLogits(0);
  EXPECT_EQ(Best(search->Found()), ArgMax(full));
  for (const Candidate& candidate : search->Found()) {
    EXPECT_EQ(candidate.logit, full[static_cast<size_t>(candidate.id)]);
  }
  return true;
}

}  // namespace headway::lmhead

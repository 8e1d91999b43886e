#include "lmhead/screening.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>

#include "base/check.h"

namespace headway::lmhead {
namespace {

// Rows of a rotation that one thread takes at a time: 48 KB of matrix.
constexpr int64_t kRotateRows = 64;

float DotF32(const float* a, const float* b, size_t n) {
  constexpr size_t kLanes = 16;
  float sums[kLanes] = {};
  size_t c = 0;
  for (; c + kLanes <= n; c += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) sums[lane] += a[c + lane] * b[c + lane];
  }
  for (; c < n; ++c) sums[c % kLanes] += a[c] * b[c];
  for (size_t half = kLanes / 2; half > 0; half /= 2) {
    for (size_t lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
  }
  return sums[0];
}

constexpr float kImpossible = -std::numeric_limits<float>::infinity();

RowRange TilesOf(const RowRange& rows, int64_t num_rows) {
  if (rows.IsEmpty()) return {.begin = 0, .end = kernels::NumSignTiles(num_rows)};
  return {.begin = rows.begin / kernels::kSignTileRows, .end = kernels::NumSignTiles(rows.end)};
}

}  // namespace

void SplitState(const Planes& planes, std::span<const float> hidden, std::span<float> shares,
                std::span<float> rest) {
  for (size_t d = 0; d < shares.size(); ++d) {
    shares[d] = DotF32(planes.Direction(static_cast<int64_t>(d)), hidden.data(), hidden.size());
  }
  std::copy(hidden.begin(), hidden.end(), rest.begin());
  for (size_t d = 0; d < shares.size(); ++d) {
    const float* direction = planes.Direction(static_cast<int64_t>(d));
    const float share = shares[d];
    for (size_t c = 0; c < rest.size(); ++c) rest[c] -= share * direction[c];
  }
}

int64_t ScreenBytesOf(const Planes& planes, const RowRange& rows) {
  const RowRange tiles = TilesOf(rows, planes.NumRows());
  const int64_t before = planes.Signs() - reinterpret_cast<const std::byte*>(planes.Direction(0));
  const int64_t all = kernels::NumSignTiles(planes.NumRows());
  return before + (planes.ScreenBytes() - before) / all * (tiles.end - tiles.begin);
}

Screening::Screening(const Planes* planes, const kernels::KernelSet& kernels, ThreadPool* pool,
                     int64_t max_states, uint64_t noise_key, DeviceSigns* device_or_null,
                     const RowRange& part, LogitCap cap)
    : planes_(planes),
      kernels_(kernels),
      pool_(pool),
      noise_key_(noise_key),
      device_or_null_(device_or_null),
      cap_(cap),
      rows_(part),
      tiles_(TilesOf(part, planes->NumRows())),
      tile_queue_(pool->NumThreads()) {
  HW_CHECK(max_states >= 1 && max_states <= kernels::kMaxScreenTokens, "a batch of states");
  const int64_t D = planes->Shape().channels;
  const auto rows = static_cast<size_t>(planes->NumRows());
  const int64_t groups = kernels::SignGroupsBefore(D, kernels::NumRotationBlocks(D));
  if (device_or_null != nullptr) {
    device_input_.resize(static_cast<size_t>(max_states * D));
    device_estimates_.resize(static_cast<size_t>(max_states) * rows);
  }
  for (int64_t i = 0; i < max_states; ++i) {
    states_.push_back(
        {.usable = false,
         .terms = NewStateTerms(planes->Shape()),
         .shares = std::vector<float>(static_cast<size_t>(planes->Shape().directions)),
         .rest = AlignedBuffer(static_cast<size_t>(D) * sizeof(float)),
         .rotated = AlignedBuffer(static_cast<size_t>(D) * sizeof(float)),
         .tables = AlignedBuffer(static_cast<size_t>(groups * kernels::kSignTableEntries)),
         .q = AlignedBuffer(static_cast<size_t>(kernels::RefineActivationBytes(D))),
         .estimate = AlignedBuffer(rows * sizeof(float)),
         .product = AlignedBuffer(cap.Exists() ? rows * sizeof(float) : 0),
         .upper = AlignedBuffer(rows * sizeof(float)),
         .summaries = std::vector<kernels::ScreenSummary>(
             static_cast<size_t>(kernels::NumSignStrips(planes->NumRows())))});
    if (rows_.IsEmpty()) continue;
    ScreenedState& state = states_.back();
    std::fill_n(state.upper.Pointer<float>(), rows, kImpossible);
    for (kernels::ScreenSummary& strip : state.summaries)
      strip = {.largest_upper = kImpossible, .best_estimate = kImpossible, .best_row = 0};
  }
}

int64_t Screening::Bytes() const {
  if (device_or_null_ == nullptr) return ScreenBytesOf(*planes_, rows_);
  const int64_t before =
      planes_->Signs() - reinterpret_cast<const std::byte*>(planes_->Direction(0));
  return before + DeviceTermsBytes(planes_->NumRows(), planes_->Shape()) + device_or_null_->Bytes();
}

void Screening::Run(const float* hidden, std::span<const ScreenDemand> demands) noexcept {
  const auto num_states = static_cast<int64_t>(demands.size());
  const PlaneConstants& planes = planes_->Constants();
  const auto D = static_cast<size_t>(planes.shape.channels);
  split_queue_.Reset();
  rotate_queue_.Reset();
  table_queue_.Reset();
  tile_queue_.Reset();
  const ScreenArithmetic arithmetic =
      device_or_null_ == nullptr ? ScreenArithmetic::kTables : ScreenArithmetic::kDeviceF16;
  pool_->Run([&](int thread) {
    Split(hidden, num_states);
    pool_->Barrier();
    Rotate(num_states);
    pool_->Barrier();
    for (int64_t t = thread; t < num_states; t += pool_->NumThreads()) {
      ScreenedState& state = states_[static_cast<size_t>(t)];
      const StateParts parts{.hidden = {hidden + static_cast<size_t>(t) * D, D},
                             .shares = state.shares,
                             .rest = state.rest.As<float>(D),
                             .rotated = state.rotated.As<float>(D)};
      const ScreenDemand& demand = demands[static_cast<size_t>(t)];
      state.usable = ComputeStateTerms(planes, demand.certificate, demand.num_winners, parts,
                                       arithmetic, &state.terms);
    }
    pool_->Barrier();
    BuildTables(num_states);
    pool_->Barrier();
    if (device_or_null_ == nullptr) ScreenTiles(thread, num_states);
  });
  if (device_or_null_ != nullptr) ScreenOnDevice(num_states);
  for (int64_t t = 0; !rows_.IsEmpty() && t < num_states; ++t)
    ForgetOthers(&states_[static_cast<size_t>(t)]);
  num_states_seen_ += static_cast<uint64_t>(num_states);
}

void Screening::Split(const float* hidden, int64_t num_states) {
  const auto D = static_cast<size_t>(planes_->Shape().channels);
  int64_t t = 0;
  int64_t end = 0;
  while (split_queue_.Take(num_states, 1, &t, &end)) {
    ScreenedState& state = states_[static_cast<size_t>(t)];
    SplitState(*planes_, {hidden + static_cast<size_t>(t) * D, D}, state.shares,
               state.rest.As<float>(D));
  }
}

void Screening::Rotate(int64_t num_states) {
  const int64_t D = planes_->Shape().channels;
  const int64_t num_blocks = kernels::NumRotationBlocks(D);
  // A block's rows for all states: the matrix is read once.
  int64_t task = 0;
  int64_t end = 0;
  const int64_t pieces = (2 * kernels::kRotationBlock + kRotateRows - 1) / kRotateRows;
  while (rotate_queue_.Take(num_blocks * pieces, 1, &task, &end)) {
    const int64_t b = task / pieces;
    const kernels::RotationBlock block = kernels::RotationBlockOf(D, b);
    const int64_t row_begin = task % pieces * kRotateRows;
    const int64_t row_end = std::min(row_begin + kRotateRows, block.size);
    for (int64_t t = 0; row_begin < row_end && t < num_states; ++t) {
      ScreenedState& state = states_[static_cast<size_t>(t)];
      kernels_.rotate({.matrix = planes_->Rotation(b),
                       .matrix_stride = kernels::RoundUp(block.size, 32),
                       .n = block.size,
                       .row_begin = row_begin,
                       .row_end = row_end,
                       .x = state.rest.Pointer<float>() + block.begin,
                       .y = state.rotated.Pointer<float>() + block.begin});
    }
  }
}

void Screening::BuildTables(int64_t num_states) {
  const int64_t D = planes_->Shape().channels;
  const int64_t num_blocks = kernels::NumRotationBlocks(D);
  int64_t task = 0;
  int64_t end = 0;
  while (table_queue_.Take(num_states * num_blocks, 1, &task, &end)) {
    ScreenedState& state = states_[static_cast<size_t>(task / num_blocks)];
    if (!state.usable) continue;
    const int64_t b = task % num_blocks;
    const auto i = static_cast<size_t>(b);
    const kernels::RotationBlock block = kernels::RotationBlockOf(D, b);
    const kernels::PlaneNoise noise{
        .key = noise_key_, .token = num_states_seen_ + static_cast<uint64_t>(task / num_blocks)};
    if (device_or_null_ == nullptr) BuildSignTables(&state, b, noise);
    int32_t q_sum = 0;
    kernels_.quantise_for_refinement({.x = state.rotated.Pointer<float>() + block.begin,
                                      .n = block.size,
                                      .first_unit = kernels::RefineUnitsBefore(D, b),
                                      .inverse_step = state.terms.refine_inverse_steps[i],
                                      .noise = noise,
                                      .q = state.q.Pointer<int8_t>(),
                                      .q_sum = &q_sum});
    const auto centre = [&](RefineTerms* refine, double middle) {
      kernels::BlockTerms& terms = refine->blocks[i];
      terms.offset = static_cast<float>(-middle * static_cast<double>(terms.step) * q_sum);
    };
    centre(&state.terms.two_bits, 0.5);
    centre(&state.terms.three_bits, 1.5);
  }
}

void Screening::BuildSignTables(ScreenedState* state, int64_t b, const kernels::PlaneNoise& noise) {
  const int64_t D = planes_->Shape().channels;
  const auto i = static_cast<size_t>(b);
  const kernels::RotationBlock block = kernels::RotationBlockOf(D, b);
  double offset = 0.0;
  kernels_.build_sign_tables({.x = state->rotated.Pointer<float>() + block.begin,
                              .n = block.size,
                              .first_group = kernels::SignGroupsBefore(D, b),
                              .group_begin = 0,
                              .group_end = kernels::SignGroups(block.size),
                              .inverse_step = state->terms.screen_inverse_steps[i],
                              .noise = noise,
                              .tables = state->tables.Pointer<uint8_t>(),
                              .offset = &offset});
  kernels::BlockTerms& screen = state->terms.screen[i];
  screen.offset = static_cast<float>(static_cast<double>(screen.step) * offset);
}

// The states that can be used, in one call; then their bounds.
void Screening::ScreenOnDevice(int64_t num_states) {
  const auto D = static_cast<size_t>(planes_->Shape().channels);
  const auto V = static_cast<size_t>(planes_->NumRows());
  std::array<ScreenedState*, kernels::kMaxScreenTokens> usable{};
  std::array<int, kernels::kMaxScreenTokens> exponents{};
  size_t count = 0;
  for (int64_t t = 0; t < num_states; ++t) {
    ScreenedState& state = states_[static_cast<size_t>(t)];
    if (!state.usable) continue;
    exponents[count] =
        ScaleForDevice(state.rotated.As<float>(D), std::span(device_input_).subspan(count * D, D));
    usable[count++] = &state;
  }
  if (count == 0) return;
  device_or_null_->Estimate(device_input_.data(), static_cast<int64_t>(count),
                            device_estimates_.data());
  const auto num_strips = kernels::NumSignStrips(planes_->NumRows());
  for (size_t i = 0; i < count; ++i) {
    ScreenedState* const state = usable[i];
    const DeviceBounds bounds{.device_estimate = device_estimates_.data() + i * V,
                              .exponent = exponents[i],
                              .terms = &state->terms,
                              .estimate = state->estimate.Pointer<float>(),
                              .upper = state->upper.Pointer<float>(),
                              .summary = state->summaries.data()};
    std::atomic<bool> finite{true};
    tile_queue_.Reset();
    pool_->Run([&](int thread) {
      int64_t begin = 0;
      int64_t end = 0;
      while (tile_queue_.Take(thread, num_strips, &begin, &end)) {
        if (!BoundStrips(*planes_, bounds, begin, end)) finite.store(false);
        CapStrips(state, begin, end);
      }
    });
    state->usable = finite.load();
  }
}

void Screening::ScreenTiles(int thread, int64_t num_states) {
  std::array<kernels::ScreenToken, kernels::kMaxScreenTokens> tokens;
  int64_t num_tokens = 0;
  for (int64_t t = 0; t < num_states; ++t) {
    ScreenedState& state = states_[static_cast<size_t>(t)];
    if (!state.usable) continue;
    kernels::ScreenToken& token = tokens[static_cast<size_t>(num_tokens++)];
    token.tables = state.tables.Pointer<uint8_t>();
    token.blocks = state.terms.screen.data();
    token.multiplier = state.terms.screen_radius.multiplier;
    token.constant = state.terms.screen_radius.constant;
    token.reach = state.terms.reach;
    token.shares = state.terms.shares.data();
    token.estimate = state.estimate.Pointer<float>();
    token.upper = state.upper.Pointer<float>();
    token.summary = state.summaries.data();
  }
  if (num_tokens == 0) return;
  int64_t begin = 0;
  int64_t end = 0;
  while (tile_queue_.Take(thread, tiles_.end - tiles_.begin, &begin, &end)) {
    kernels_.screen({.tiles = planes_->Signs(),
                     .num_rows = planes_->NumRows(),
                     .shape = planes_->Shape(),
                     .tile_begin = tiles_.begin + begin,
                     .tile_end = tiles_.begin + end,
                     .tokens = tokens.data(),
                     .num_tokens = num_tokens});
    constexpr int64_t kTileStrips = kernels::kSignTileRows / kernels::kSignStripRows;
    for (int64_t t = 0; cap_.Exists() && t < num_states; ++t) {
      CapStrips(&states_[static_cast<size_t>(t)], (tiles_.begin + begin) * kTileStrips,
                (tiles_.begin + end) * kTileStrips);
    }
  }
}

// What the screen said of those strips, in terms of capped logits.
void Screening::CapStrips(ScreenedState* state, int64_t begin, int64_t end) const {
  if (!cap_.Exists() || !state->usable) return;
  end = std::min(end, kernels::NumSignStrips(planes_->NumRows()));
  const int64_t first = begin * kernels::kSignStripRows;
  const int64_t last = std::min(end * kernels::kSignStripRows, planes_->NumRows());
  float* const upper = state->upper.Pointer<float>();
  float* const estimate = state->estimate.Pointer<float>();
  std::copy(estimate + first, estimate + last, state->product.Pointer<float>() + first);
  cap_.Estimates(estimate + first, last - first);
  cap_.Bounds(upper + first, last - first);
  for (int64_t strip = begin; strip < end; ++strip) {
    kernels::ScreenSummary& summary = state->summaries[static_cast<size_t>(strip)];
    const int64_t row = strip * kernels::kSignStripRows;
    summary.largest_upper =
        *std::max_element(upper + row, upper + std::min(row + kernels::kSignStripRows, last));
    summary.best_estimate = estimate[summary.best_row];
  }
}

// Tiles begin and end between ranges: rows of the neighbours' become impossible, and strips that are
// shared with them are summed up again.
void Screening::ForgetOthers(ScreenedState* state) {
  constexpr int64_t kStrip = kernels::kSignStripRows;
  float* const upper = state->upper.Pointer<float>();
  const float* const estimate = state->estimate.Pointer<float>();
  const auto forget = [&](int64_t begin, int64_t end) {
    if (begin >= end) return;
    std::fill(upper + begin, upper + end, kImpossible);
    for (int64_t strip = begin / kStrip; strip * kStrip < end; ++strip) {
      kernels::ScreenSummary summary{.largest_upper = kImpossible,
                                     .best_estimate = kImpossible,
                                     .best_row = static_cast<int32_t>(strip * kStrip)};
      const int64_t last = std::min((strip + 1) * kStrip, planes_->NumRows());
      for (int64_t row = std::max(strip * kStrip, rows_.begin); row < std::min(last, rows_.end);
           ++row) {
        summary.largest_upper = std::max(summary.largest_upper, upper[row]);
        if (estimate[row] <= summary.best_estimate) continue;
        summary.best_estimate = estimate[row];
        summary.best_row = static_cast<int32_t>(row);
      }
      state->summaries[static_cast<size_t>(strip)] = summary;
    }
  };
  forget(tiles_.begin * kernels::kSignTileRows, rows_.begin);
  forget(rows_.end, std::min(tiles_.end * kernels::kSignTileRows, planes_->NumRows()));
}

}  // namespace headway::lmhead

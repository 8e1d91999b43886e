#pragma once

// A head in memory for tests: rows of any type, their tiles, their planes, and the full head's
// answer for any state.

#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "kernels/kernel_set.h"
#include "lmhead/build_planes.h"
#include "lmhead/search.h"
#include "tensor/tensor_view.h"

namespace headway::lmhead {

inline constexpr const char* kTestDigest = "0123456789abcdef0123456789abcdef";

class TestHead final : public ExactRows {
 public:
  // `rows`: [V, D] f32, stored as `type`.
  TestHead(DataType type, int64_t num_rows, int64_t num_channels, std::span<const float> rows);

  int64_t NumRows() const { return num_rows_; }
  int64_t NumChannels() const { return num_channels_; }
  ConstTensorView View() const;
  // What row `row` stands for, exactly.
  std::vector<float> Row(int64_t row) const;
  // Fewer directions: see BuildOptions.
  Planes Build(const RotationSeed& seed, ThreadPool* pool,
               int64_t most_directions = kernels::kMaxDirections) const;

  // Quantises `states` [num_states, D] and keeps them for Compute(); returns what the kernels
  // multiply.
  std::vector<float> SetStates(std::span<const float> states);
  // The full head's logits of state `state`.
  std::vector<float> FullLogits(int64_t state) const;

  // From now on logits are capped, as exact rows and the full head have them.
  void SetSoftCap(float cap) { soft_cap_ = cap; }

  int64_t StripOf(int64_t row) const override { return row / kernels::kStripRows; }
  int64_t StripBytes() const override;
  int64_t FullBytes() const override;
  void Compute(int64_t strip, int64_t state, float* logits) noexcept override;

 private:
  kernels::MatMulArgs Product(int64_t state) const;

  DataType type_;
  int64_t num_rows_;
  int64_t num_channels_;
  std::vector<std::byte> stored_;
  AlignedBuffer tiles_;
  std::vector<AlignedBuffer> quantised_;  // one state each
  std::vector<float> states_;
  float soft_cap_ = 0.0F;
};

// `count` standard normal numbers.
std::vector<float> Normals(size_t count, uint32_t seed);

// A state whose logit with row `winner` is about `margin` sigma.
std::vector<float> StateFor(const TestHead& head, int64_t winner, double margin, uint32_t seed);

int32_t ArgMax(std::span<const float> values);
// The id of the largest logit, the first of equal ones; -1 of none.
int32_t Best(std::span<const Candidate> candidates);

// What a search must give for a state: the full head's token, ties to the lowest id, and exact
// logits for all candidates. False when the search gave up.
bool CheckState(Search* search, TestHead* head, std::span<const float> state);

// The fastest kernels of this processor.
const kernels::KernelSet& TestKernels();

}  // namespace headway::lmhead

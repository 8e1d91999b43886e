#pragma once

// The first stage for a batch of states: rotation, then one pass over the signs, by tables or by a
// device. Used by Search.

#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/stretch_queue.h"
#include "base/thread_pool.h"
#include "kernels/kernel_set.h"
#include "lmhead/device_signs.h"
#include "lmhead/logit_cap.h"
#include "lmhead/planes.h"

namespace headway::lmhead {

// One state's numbers in the planes' terms.
struct ScreenedState {
  bool usable = false;  // false: out of range, nothing else is valid
  StateTerms terms;
  std::vector<float> shares;                      // of the common directions
  AlignedBuffer rest;                             // [D] f32: the state without them
  AlignedBuffer rotated;                          // [D] f32: the rest
  AlignedBuffer tables;                           // [groups][64] u8
  AlignedBuffer q;                                // 8-bit activations
  AlignedBuffer estimate;                         // [V] f32
  AlignedBuffer product;                          // [V] f32: the estimate before a soft cap
  AlignedBuffer upper;                            // [V] f32
  std::vector<kernels::ScreenSummary> summaries;  // [strips of 64 rows]

  // What refinement goes on from.
  const float* Products() const {
    return product.SizeBytes() > 0 ? product.Pointer<float>() : estimate.Pointer<float>();
  }
};

// How sure the bounds of one state must be.
struct ScreenDemand {
  CertificateMode certificate;
  // The largest number of rows that a following goal needs (1; k + 1 of top-k; 2 for a margin):
  // delta is divided among them.
  int64_t num_winners = 1;
};

// Cuts a state into its shares of the common directions and the rest that is rotated:
// shares[d] = U_d . hidden, in sixteen lanes as products elsewhere (docs/arithmetic.md, the sum
// rule, without fma); rest = hidden - sum_d shares[d] U_d, directions ascending. `hidden`, `rest`:
// [D]; `shares`: [directions]. No allocation.
void SplitState(const Planes& planes, std::span<const float> hidden, std::span<float> shares,
                std::span<float> rest);

// Rows [begin, end) of a head.
struct RowRange {
  int64_t begin = 0;
  int64_t end = 0;
  bool IsEmpty() const { return end <= begin; }
};

// Bytes that a screen of those rows reads; empty: of all.
int64_t ScreenBytesOf(const Planes& planes, const RowRange& rows);

class Screening {
 public:
  // Of the rows in `rows` only, where it is not empty: all others count as impossible.
  Screening(const Planes* planes, const kernels::KernelSet& kernels, ThreadPool* pool,
            int64_t max_states, uint64_t noise_key, DeviceSigns* device_or_null,
            const RowRange& rows = {}, LogitCap cap = {});

  // Bounds all rows for states [demands, D].
  void Run(const float* hidden, std::span<const ScreenDemand> demands) noexcept;

  // Whose upper bounds may be lowered.
  ScreenedState& State(int64_t state) { return states_[static_cast<size_t>(state)]; }
  // Bytes that one Run() reads.
  int64_t Bytes() const;
  int64_t MaxStates() const { return static_cast<int64_t>(states_.size()); }

 private:
  void Split(const float* hidden, int64_t num_states);
  void Rotate(int64_t num_states);
  void BuildTables(int64_t num_states);
  void BuildSignTables(ScreenedState* state, int64_t block, const kernels::PlaneNoise& noise);
  void ScreenTiles(int thread, int64_t num_states);
  void ScreenOnDevice(int64_t num_states);
  void CapStrips(ScreenedState* state, int64_t begin, int64_t end) const;
  void ForgetOthers(ScreenedState* state);

  const Planes* const planes_;
  const kernels::KernelSet kernels_;
  ThreadPool* const pool_;
  const uint64_t noise_key_;
  DeviceSigns* const device_or_null_;
  const LogitCap cap_;
  const RowRange rows_;           // what is screened; empty: everything
  const RowRange tiles_;          // of signs, that hold them
  uint64_t num_states_seen_ = 0;  // numbers the noise: never repeats with one key
  std::vector<ScreenedState> states_;
  ChunkQueue split_queue_;
  ChunkQueue rotate_queue_;
  ChunkQueue table_queue_;
  StretchQueue tile_queue_;
  std::vector<float> device_input_;      // [states, D]
  std::vector<float> device_estimates_;  // [states, V]
};

}  // namespace headway::lmhead

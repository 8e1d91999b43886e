#pragma once

// What the rows of a trained head have in common: a few orthonormal directions that hold much of
// the energy of rows and hidden states. Along them logits are computed from stored coefficients, so
// that the radius of an estimate grows with the rest alone (docs/certified_head.md, "Common
// directions"). Which directions are taken touches speed only.

#include <cstdint>
#include <optional>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/plane_layout.h"
#include "tensor/tensor_view.h"

namespace headway::lmhead {

// What a model's head has multiplied, to choose directions by. Must not depend on any rotation of
// the planes.
struct RecordedStates {
  std::vector<float> hidden = {};  // [T, D], as the head multiplies them: to find directions by
  // Others, to judge directions by, since directions fit the states that they were found by.
  std::vector<float> judged = {};       // [J, D], J at most kJudgedStates
  std::vector<float> best_logits = {};  // [J], the largest logit of each
};
inline constexpr int64_t kJudgedStates = 96;

struct CommonDirections {
  std::vector<float> values = {};  // [k, D]
  // What a token costs with them, about, in full passes of the head: bytes read, those of scattered
  // rows and records weighted by what they take (lmhead/scores.h). Nothing: no states to judge by.
  std::optional<double> forecast = std::nullopt;
};

// The directions for a head of these rows, `most` at most (not above kernels::kMaxDirections). With
// states: those that lower the sum of log tr of the rests of rows and of states (a fixed point of
// subspace iteration on both second moments, each over the trace of its rest), as many as a forecast
// for the judged states wants. Without: those of the rows alone that hold far more energy than a
// direction of independent rows could. Looks at 8,192 rows at most. Does not depend on the number
// of threads. Memory: the rows looked at as f32 (100 MB for D = 3072).
CommonDirections FindDirections(const ConstTensorView& rows, const RecordedStates& states,
                                ThreadPool* pool, int64_t most = kernels::kMaxDirections);

}  // namespace headway::lmhead

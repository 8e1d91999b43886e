#pragma once

// What the rows of a trained head have in common: a few orthonormal directions that hold much of
// the energy of rows and hidden states. Along them logits are computed from stored coefficients, so
// that the radius of an estimate grows with the rest alone (docs/certified_head.md, "Common
// directions"). Which directions are taken touches speed only.

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "tensor/tensor_view.h"

namespace headway::lmhead {

// What a model's head has multiplied, to choose directions by. Must not depend on any rotation of
// the planes.
struct RecordedStates {
  std::vector<float> hidden = {};       // [T, D], as the head multiplies them
  std::vector<float> best_logits = {};  // [T], the largest logit of each
};

// The directions [k, D] for a head of these rows, k at most kernels::kMaxDirections. With states:
// those that lower the sum of log tr of the rests of rows and of states (a fixed point of subspace
// iteration on both second moments, each over the trace of its rest), as many as a forecast of the
// bytes read a token wants, made with every fourth state, which the others do not know. Without:
// those of the rows alone that hold far more energy than a direction of independent rows could.
// Looks at 8,192 rows at most. Does not depend on the number of threads. Memory: the rows looked at
// as f32 (100 MB for D = 3072).
std::vector<float> FindDirections(const ConstTensorView& rows, const RecordedStates& states,
                                  ThreadPool* pool);

}  // namespace headway::lmhead

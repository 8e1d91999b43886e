#pragma once

// Whether planes belong to their rows: every sign, code, scale, gamma and coefficient recomputed
// from the rows and the stored rotation, sharing nothing with the encoder. What digests cannot see
// (the golden gate asks).

#include <cstdint>
#include <functional>
#include <string>

#include "base/thread_pool.h"
#include "kernels/kernel_set.h"
#include "lmhead/planes.h"

namespace headway::lmhead {

struct PlanesCheck {
  int64_t num_rows = 0;
  int64_t bad_rows = 0;
  // The largest share by which the gamma that a row's codes need exceeds the stored one; at most 0
  // for sound planes but for roundings.
  double worst_excess = -1.0;
  std::string problem;  // of the lowest bad row; empty: none
};

// `read_row` writes row `row` [D] as the head multiplies it; called from several threads. A row is
// bad when a sign is not that of the rotated row, or when the error of its codes and scales is
// larger than the stored gamma allows. 2 V D n_b operations: about ten seconds for Phi-4-mini's
// head on two cores.
PlanesCheck CheckPlanes(const Planes& planes,
                        const std::function<void(int64_t row, float* out)>& read_row,
                        const kernels::KernelSet& kernels, ThreadPool* pool);

}  // namespace headway::lmhead

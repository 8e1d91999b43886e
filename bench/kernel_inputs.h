#pragma once

// What benchmarks and kernel_calls give to kernels: the same random numbers in every run.

#include <cstdint>
#include <random>
#include <vector>

#include "base/aligned_buffer.h"
#include "kernels/kernel_set.h"

namespace headway::kernels {

// Random codes; every 16-bit word is a half of magnitude below 2.
inline AlignedBuffer RandomHalves(size_t size_bytes) {
  AlignedBuffer buffer(size_bytes);
  std::mt19937_64 random(1);
  for (uint64_t& word : buffer.As<uint64_t>(size_bytes / sizeof(uint64_t)))
    word = random() & 0x3f3f3f3f3f3f3f3fU;
  return buffer;
}

inline std::vector<float> RandomActivations(int64_t count) {
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<size_t>(count));
  for (float& value : x) value = normal(random);
  return x;
}

// What a refinement takes besides records and a list, of at most `rows` rows.
class RefineInputs {
 public:
  RefineInputs(const PlaneShape& shape, int64_t rows)
      : shape_(shape),
        terms_(static_cast<size_t>(NumRotationBlocks(shape.channels)),
               BlockTerms{0.01F, 0.5F, 0.1F}),
        q_(static_cast<size_t>(RefineActivationBytes(shape.channels))),
        screened_(static_cast<size_t>(rows), 1.0F),
        output_(static_cast<size_t>(2 * rows)) {
    for (int8_t& value : q_.As<int8_t>(q_.SizeBytes())) value = 3;
  }

  RefineArgs Args(const AlignedBuffer& records, const std::vector<int32_t>& rows) {
    return {.records = records.data(),
            .shape = shape_,
            .rows = rows.data(),
            .num_rows = static_cast<int64_t>(rows.size()),
            .q = q_.Pointer<int8_t>(),
            .blocks = terms_.data(),
            .multiplier = 4.0F,
            .constant = 0.1F,
            .estimate_factor = 0.5F,
            .screened = screened_.data(),
            .estimate = output_.data(),
            .upper = output_.data() + rows.size()};
  }

 private:
  PlaneShape shape_;
  std::vector<BlockTerms> terms_;
  AlignedBuffer q_;
  std::vector<float> screened_;
  std::vector<float> output_;
};

}  // namespace headway::kernels

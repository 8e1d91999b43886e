#pragma once

// The factor of the first RMSNorm's input before it is squared in fp16. Inside this folder only.

#include "tensor/tensor_view.h"

namespace headway::coreml {

// A power of two c that brings the rows of the embedding table `table` [V, D] to an RMS of about
// one, their median's, while c times the largest number stays within 16, whose square fp16 holds
// 256 times over. Of a large table 8192 rows are looked at. Rows of an embedding are small, 0.02 is
// usual: by the factor of the other norms, 1 / sqrt(3072), their squares would be 1.3e-7, twice the
// smallest fp16 number, and half of the mean would be the epsilon that must not vanish. 1 for a
// table of zeros.
float EmbeddingPrescale(const ConstTensorView& table);

}  // namespace headway::coreml

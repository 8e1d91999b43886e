#pragma once

// The set for processors with AVX2, FMA and F16C (Haswell, Zen and later).

#include "kernels/kernel_set.h"

namespace headway::kernels::avx2 {

const KernelSet& Set();

void AddLaneKernels(KernelSet* set);  // all but the products

void AddPlaneKernels(KernelSet* set);  // the certified head's

using MatMulFn = void (*)(const MatMulArgs&);

// Products; the types are spread over files to keep each compilation short.
void AddSimpleMatMuls(std::array<MatMulFn, kNumDataTypes>* table);  // Q8_0 Q4_0 Q4_1 Q5_0 Q5_1
void AddKMatMuls(std::array<MatMulFn, kNumDataTypes>* table);       // Q4_K Q5_K Q6_K
void AddFloatMatMuls(std::array<MatMulFn, kNumDataTypes>* table);   // F32 F16 BF16

}  // namespace headway::kernels::avx2

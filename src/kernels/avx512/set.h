#pragma once

// The kernels for AVX-512 F, BW, VL, DQ and VNNI (Ice Lake, Zen 4
// and later), and the files that they
// are spread over. Filling a set in runs on every processor; only calling what was filled in needs
// the instructions.

#include <string>

#include "kernels/kernel_set.h"

namespace headway::kernels::avx512 {

const KernelSet& Set();
// Instructions that this processor lacks, "AVX512_VNNI, AVX512BW"; "" when the set can run.
std::string Missing();

// One file each, to keep every compilation short.
void AddLaneKernels(KernelSet* set);     // all but products and the certified head's
void AddFloatProducts(KernelSet* set);   // F32 F16 BF16
void AddKProducts(KernelSet* set);       // Q4_K Q5_K Q6_K
void AddLowKProducts(KernelSet* set);    // Q2_K Q3_K
void AddTableProducts(KernelSet* set);   // IQ4_NL IQ4_XS MXFP4
void AddSimpleProducts(KernelSet* set);  // Q8_0 Q4_0 Q4_1 Q5_0 Q5_1
void AddPlaneKernels(KernelSet* set);    // the certified head's
void AddScreen(KernelSet* set);          // its screen, where the processor has AVX512_VBMI, too

}  // namespace headway::kernels::avx512

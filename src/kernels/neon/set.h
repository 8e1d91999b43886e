#pragma once

// The kernels for 64-bit Arm, three sets that build on each other:
//
//   neon       what every processor has (Cortex-A53, A72)
//   neon_dot   dot products of bytes (Armv8.2: Cortex-A76, Neoverse N1, Apple M1)
//   neon_i8mm  mixed signs and matrix products (Armv8.6: Neoverse V1, Cortex-A710, Apple M2)
//
// A set has the kernels that profit from its instructions; the others come from the slower ones.

#include <string>

#include "kernels/kernel_set.h"

namespace headway::kernels::neon {

namespace plain {
const KernelSet& Kernels();
void AddProducts(KernelSet* set);     // quantised weights
void AddLaneKernels(KernelSet* set);  // float weights, and all but the certified head's
void AddPlaneKernels(KernelSet* set);
}  // namespace plain

namespace dot {
const KernelSet& Kernels();
std::string Missing();
void AddProducts(KernelSet* set);
void AddLaneKernels(KernelSet* set);
void AddPlaneKernels(KernelSet* set);
}  // namespace dot

namespace i8mm {
const KernelSet& Kernels();
std::string Missing();
void AddProducts(KernelSet* set);
}  // namespace i8mm

}  // namespace headway::kernels::neon

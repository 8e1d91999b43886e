#pragma once

// What the sets of this folder are made of, and the tables that these parts fill. Filling runs on
// every processor; only calling what was filled in needs the instructions.

#include "kernels/kernel_set.h"

namespace headway::kernels::cpu {

struct CpuTables {
  KernelSet avx2;    // AVX2, FMA and F16C (Haswell, Zen and later)
  KernelSet avx512;  // AVX-512 F, BW, VL, DQ and VNNI (Ice Lake, Zen 4 and later)
};

// Written once for both; the products' types are spread over files to keep each compilation short.
void AddSimpleMatMuls(CpuTables* tables);  // Q8_0 Q4_0 Q4_1 Q5_0 Q5_1
void AddKMatMuls(CpuTables* tables);       // Q4_K Q5_K Q6_K
void AddFloatMatMuls(CpuTables* tables);   // F32 F16 BF16
void AddLaneKernels(CpuTables* tables);    // all but products and the certified head's

// set->matmul of each of kTypes becomes product<type>(), a template lambda that names the
// instantiation.
template <DataType... kTypes, class Product>
void SetMatMuls(const Product& product, KernelSet* set) {
  ((set->matmul[static_cast<size_t>(kTypes)] = product.template operator()<kTypes>()), ...);
}

}  // namespace headway::kernels::cpu

namespace headway::kernels::avx2 {
void AddPlaneKernels(KernelSet* set);  // the certified head's
}  // namespace headway::kernels::avx2

namespace headway::kernels::avx512 {
void AddPlaneKernels(KernelSet* set);  // the certified head's, but the screen
void AddScreen(KernelSet* set);        // where the processor has AVX512_VBMI, too
}  // namespace headway::kernels::avx512

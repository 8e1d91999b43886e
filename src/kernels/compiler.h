#pragma once

// What the fast kernels ask of the compiler.

// Small pieces of a kernel that must not become calls: their arguments are registers.
#define HW_KERNEL_INLINE inline __attribute__((always_inline))

// Before a loop of constant count whose body indexes an array of vectors: unrolled, the array lives
// in registers.
#if defined(__clang__)
#define HW_UNROLL _Pragma("unroll")
#else
#define HW_UNROLL _Pragma("GCC unroll 16")
#endif

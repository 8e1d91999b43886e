#pragma once

// The reference set: docs/arithmetic.md as plain loops, complete on every processor, the judge of
// the others. Also the pieces that the fast sets use for tails. Slow by choice.

#include "kernels/kernel_set.h"

namespace headway::kernels::reference {

const KernelSet& Set();

void QuantiseRows(const float* x, int64_t x_stride, int64_t token_begin, int64_t token_end,
                  const QuantisedRows& out);
void RmsNorm(const float* x, const float* gain, float eps, int64_t n, float* y);
void SwiGlu(const float* gate, const float* up, int64_t n, float* y);
void GegluTanh(const float* gate, const float* up, int64_t n, float* y);
void SoftCap(float cap, int64_t n, float* x);
void Add(const float* x, int64_t n, float* y);
void Rotary(RotaryStyle style, const float* cos, const float* sin, int64_t n_rot, int64_t head_dim,
            int64_t num_heads, float* x);
void StoreKv(const float* k, const float* v, int64_t head_dim, int64_t position, std::byte* keys,
             std::byte* values);
void StoreKvQ8(const float* k, const float* v, int64_t head_dim, int64_t position, std::byte* keys,
               std::byte* values);
void Attention(const AttentionArgs& args);
void AttentionQ8(const AttentionArgs& args);
ArgMax FindArgMax(const float* values, int64_t n);
ArgMax FindGumbelArgMax(const float* values, int64_t n, float inverse_temperature, uint64_t seed,
                        uint64_t position, int64_t first_id);
void Perturb(const float* values, int64_t n, float inverse_temperature, uint64_t seed,
             uint64_t position, int64_t first_id, float* out);
int64_t FindAtLeast(const float* values, int64_t n, float threshold, int32_t first_id,
                    int32_t* ids);
bool AllFinite(const float* values, int64_t n);
void Rotate(const RotateArgs& args);
void BuildSignTables(const SignTableArgs& args);
void Screen(const ScreenArgs& args);
void QuantiseForRefinement(const RefineActivationArgs& args);
void Refine(const RefineArgs& args);

// Products by weight type; null for types that are no weights.
using MatMulFn = void (*)(const MatMulArgs&);
std::array<MatMulFn, kNumDataTypes> MatMuls();

}  // namespace headway::kernels::reference

#include <algorithm>

#include "kernels/exp.h"
#include "kernels/reference/lane_sum.h"
#include "kernels/reference/reference.h"

namespace headway::kernels::reference {
namespace {

// The three steps of docs/arithmetic.md for one query head; positions [begin, end). scores: [end -
// begin] floats.
void AttendOne(const AttentionArgs& args, const float* q, int64_t begin, int64_t end, float* scores,
               float* out) {
  float max = 0.0F;
  for (int64_t j = begin; j < end; ++j) {
    const F16* key = args.k + (j / kKeyTile * args.head_dim) * kKeyTile + j % kKeyTile;
    float s = 0.0F;
    for (int64_t c = 0; c < args.head_dim; ++c) {
      s = std::fmaf(q[c], ToFloat(key[c * kKeyTile]), s);
    }
    s *= args.scale;
    scores[j - begin] = s;
    max = j == begin ? s : std::max(max, s);
  }
  LaneSum sum;
  for (int64_t j = begin; j < end; ++j) {
    float& e = scores[j - begin];
    e = Exp(e - max);
    sum.Add(j, e);  // begin rounded down to a multiple of 16 keeps the lane: j mod 16
  }
  const float inverse = 1.0F / sum.Total();
  for (int64_t c = 0; c < args.head_dim; ++c) {
    float o = 0.0F;
    for (int64_t j = begin; j < end; ++j) {
      o = std::fmaf(scores[j - begin], ToFloat(args.v[j * args.head_dim + c]), o);
    }
    out[c] = o * inverse;
  }
}

}  // namespace

void Attention(const AttentionArgs& args) {
  for (int64_t t = 0; t < args.num_tokens; ++t) {
    const int64_t position = args.first_position + t;
    const int64_t begin = args.window > 0 ? std::max<int64_t>(0, position - args.window + 1) : 0;
    for (int64_t h = 0; h < args.num_heads; ++h) {
      AttendOne(args, args.q + t * args.q_stride + h * args.head_dim, begin, position + 1,
                args.scratch, args.out + t * args.out_stride + h * args.head_dim);
    }
  }
}

void StoreKv(const float* k, const float* v, int64_t head_dim, int64_t position, F16* k_tiles,
             F16* v_rows) {
  F16* key = k_tiles + (position / kKeyTile * head_dim) * kKeyTile + position % kKeyTile;
  for (int64_t c = 0; c < head_dim; ++c) {
    key[c * kKeyTile] = ToF16(k[c]);
    v_rows[position * head_dim + c] = ToF16(v[c]);
  }
}

}  // namespace headway::kernels::reference

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "kernels/exp.h"
#include "kernels/reference/lane_sum.h"
#include "kernels/reference/reference.h"

namespace headway::kernels::reference {
namespace {

// One kv head's cache, read as its form says: a query's score with position j before the scale, and
// the sum of e[j - begin] times value j over positions [begin, end), both as docs/arithmetic.md has
// them.
class F16Cache {
 public:
  F16Cache(const AttentionArgs& args, const float* query)
      : head_dim_(args.head_dim), q_(query), kv_(args.kv) {}

  float Score(int64_t j) const {
    const F16* key = reinterpret_cast<const F16*>(kv_.KeyTile(j / kKeyTile)) + j % kKeyTile;
    float s = 0.0F;
    for (int64_t c = 0; c < head_dim_; ++c) {
      s = std::fmaf(q_[c], ToFloat(key[c * kKeyTile]), s);
    }
    return s;
  }
  float ValueSum(int64_t begin, int64_t end, const float* e, int64_t c) const {
    float o = 0.0F;
    for (int64_t j = begin; j < end; ++j) {
      const auto* tile = reinterpret_cast<const F16*>(kv_.ValueTile(j / kKeyTile));
      o = std::fmaf(e[j - begin], ToFloat(tile[j % kKeyTile * head_dim_ + c]), o);
    }
    return o;
  }

 private:
  int64_t head_dim_;
  const float* q_;
  KvHead kv_;
};

ActivationBlock Quantised(const float* x) {
  ActivationBlock block;
  QuantiseRows(x, 0, 0, 1, {.blocks = &block, .num_tokens = 1, .num_channels = kKvBlock});
  return block;
}

class Q8Cache {
 public:
  Q8Cache(const AttentionArgs& args, const float* query) : head_dim_(args.head_dim), kv_(args.kv) {
    for (int64_t b = 0; b < head_dim_ / kKvBlock; ++b)
      q_.push_back(Quantised(query + b * kKvBlock));
  }

  float Score(int64_t j) const {
    const std::byte* tile = kv_.KeyTile(j / kKeyTile);
    float s = 0.0F;
    for (size_t b = 0; b < q_.size(); ++b) {
      const auto block = static_cast<int64_t>(b);
      int32_t sum = 0;
      for (int64_t c = 0; c < kKvBlock; ++c) {
        const auto code =
            static_cast<int32_t>(tile[KeyCodesAt(block, c / 4, j % kKeyTile) + c % 4]);
        sum += (code - 128) * q_[b].q[c];
      }
      s = std::fmaf(static_cast<float>(sum),
                    Scale(tile + KeyScaleAt(block, j % kKeyTile)) * q_[b].scale, s);
    }
    return s;
  }
  float ValueSum(int64_t begin, int64_t end, const float* e, int64_t c) const {
    float o = 0.0F;
    for (int64_t first = begin; first < end;) {
      const int64_t last = std::min(end, (first / kValueGroup + 1) * kValueGroup);
      uint32_t largest = 0;
      for (int64_t j = first; j < last; ++j) {
        largest = std::max(largest, std::bit_cast<uint32_t>(Weight(j, c, e[j - begin])));
      }
      const ValueStep step = ValueStepOf(largest);
      int32_t sum = 0;
      for (int64_t j = first; j < last; ++j) {
        sum += Rounded(Weight(j, c, e[j - begin]) * step.inverse) * Code(j, c);
      }
      o = std::fmaf(static_cast<float>(sum), step.step, o);
      first = last;
    }
    return o;
  }

 private:
  float Weight(int64_t j, int64_t c, float e) const {
    return e * Scale(ValueTile(j) + ValueScaleAt(c / kKvBlock, j % kKeyTile));
  }
  int32_t Code(int64_t j, int64_t c) const {
    return static_cast<int8_t>(ValueTile(j)[ValueCodeAt(head_dim_, j % kKeyTile, c)]);
  }
  // Nearest, ties to even; NaN, whose step says it, as anything.
  static int32_t Rounded(float weight) {
    return weight < 32767.0F ? static_cast<int32_t>(std::nearbyintf(weight)) : 32767;
  }
  const std::byte* ValueTile(int64_t j) const { return kv_.ValueTile(j / kKeyTile); }
  static float Scale(const std::byte* p) { return ToFloat(*reinterpret_cast<const F16*>(p)); }

  int64_t head_dim_;
  std::vector<ActivationBlock> q_;
  KvHead kv_;
};

// The three steps of docs/arithmetic.md for one query head; positions [begin, end). scores: [end -
// begin] floats.
template <class Cache>
void AttendOne(const AttentionArgs& args, const Cache& cache, int64_t begin, int64_t end,
               float* scores, float* out) {
  float max = 0.0F;
  for (int64_t j = begin; j < end; ++j) {
    float s = cache.Score(j) * args.scale;
    if (args.soft_cap > 0.0F) s = kernels::SoftCap(s, args.soft_cap);
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
    out[c] = cache.ValueSum(begin, end, scores, c) * inverse;
  }
}

template <class Cache>
void Attend(const AttentionArgs& args) {
  for (int64_t t = 0; t < args.num_tokens; ++t) {
    const int64_t position = args.first_position + t;
    const int64_t begin = args.window > 0 ? std::max<int64_t>(0, position - args.window + 1) : 0;
    for (int64_t h = 0; h < args.num_heads; ++h) {
      const Cache cache(args, args.q + t * args.q_stride + h * args.head_dim);
      AttendOne(args, cache, begin, position + 1, args.scratch,
                args.out + t * args.out_stride + h * args.head_dim);
    }
  }
}

}  // namespace

void Attention(const AttentionArgs& args) { Attend<F16Cache>(args); }
void AttentionQ8(const AttentionArgs& args) { Attend<Q8Cache>(args); }

void StoreKv(const float* k, const float* v, int64_t head_dim, int64_t position, std::byte* keys,
             std::byte* values) {
  F16* key = reinterpret_cast<F16*>(keys) + position;
  F16* value = reinterpret_cast<F16*>(values) + position * head_dim;
  for (int64_t c = 0; c < head_dim; ++c) {
    key[c * kKeyTile] = ToF16(k[c]);
    value[c] = ToF16(v[c]);
  }
}

void StoreKvQ8(const float* k, const float* v, int64_t head_dim, int64_t position, std::byte* keys,
               std::byte* values) {
  for (int64_t b = 0; b < head_dim / kKvBlock; ++b) {
    const ActivationBlock key = Quantised(k + b * kKvBlock);
    const ActivationBlock value = Quantised(v + b * kKvBlock);
    StoreKeyBlock(key.q, key.scale, b, position, keys);
    StoreValueBlock(value.q, value.scale, head_dim, b, position, values);
  }
}

}  // namespace headway::kernels::reference

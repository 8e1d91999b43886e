#include "device/coreml/shards/cached_attention.h"

#include <cmath>

#include "device/coreml/shards/ops.h"

namespace headway::mil {

using namespace ops;  // NOLINT(google-build-using-namespace): this file is a list of ops

std::string CachedAttention::Rotate(const std::string& p, const std::string& x,
                                    const std::string& name) {
  const int64_t R = s_.rotary_dims;
  std::string turning = x;
  std::string passing;
  if (R < s_.head_dim) {
    turning = Slice(f_, p + "rot", x, 2, 0, R);
    passing = Slice(f_, p + "pass", x, 2, R, s_.head_dim);
  }
  const std::string lo = Slice(f_, p + "lo", turning, 2, 0, R / 2);
  const std::string hi = Slice(f_, p + "hi", turning, 2, R / 2, R);
  const std::string new_lo =
      Sub(f_, p + "lo_turned", Mul(f_, p + "lo_cos", lo, cos_), Mul(f_, p + "hi_sin", hi, sin_));
  const std::string new_hi =
      Add(f_, p + "hi_turned", Mul(f_, p + "hi_cos", hi, cos_), Mul(f_, p + "lo_sin", lo, sin_));
  std::vector<std::string> parts = {new_lo, new_hi};
  if (!passing.empty()) parts.push_back(passing);
  return Concat(f_, name, parts, 2);
}

std::string CachedAttention::Store(bool keys, int layer, const std::string& p,
                                   const std::string& fresh) {
  const std::string n = p + (keys ? "k_cache_" : "v_cache_");
  const std::string old = cache_->Read(keys, layer, p);
  if (Columns()) {
    f_->Output(fresh);
    return Concat(f_, n + "all", {old, fresh}, 3);
  }
  const std::string kept = Mul(f_, n + "kept", old, keep_);
  const std::string added = Added(n + "added", fresh);
  const std::string blended = Add(f_, n + "blended", kept, added);
  return cache_->Write(keys, layer, p, old, blended);
}

std::string CachedAttention::Scores(const std::string& p, const std::string& q,
                                    const std::string& k, bool transpose_q) {
  const std::string products = MatMul(f_, p + "qk", q, k, transpose_q, !Columns());
  const float usual = 1.0F / std::sqrt(static_cast<float>(s_.head_dim));
  const float scale = form_.score_scale > 0 ? form_.score_scale : usual;
  const float cap = form_.score_cap;
  std::string scaled = Mul(f_, p + "scaled", products, HalfConstant(cap > 0 ? scale / cap : scale));
  if (cap > 0) scaled = Mul(f_, p + "capped", Tanh(f_, p + "tanh", scaled), HalfConstant(cap));
  const std::string masked = Add(f_, p + "masked", scaled, mask_);
  return Softmax(f_, p + "softmax", masked, -1);
}

std::string CachedAttention::Mix(const std::string& p, const std::string& q,
                                 const std::string& keys, const std::string& values) {
  return s_.attention == AttentionForm::kPerHead ? PerHead(p, q, keys, values)
                                                 : Batched(p, q, keys, values);
}

}  // namespace headway::mil

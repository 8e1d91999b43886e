#include "device/coreml/shards/head_shard.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "device/coreml/shards/ops.h"

namespace headway::mil {
namespace {

using namespace ops;  // NOLINT(google-build-using-namespace): this file is a list of ops

// Values up to here are exact in fp16.
constexpr int64_t kMaxExact = 2047;

// [1, n, 1, 1] (axis 1) or [1, 1, n, 1] (axis 2) with n, n - 1, ..., 1.
Constant CountDown(int64_t n, size_t axis) {
  std::vector<double> values(static_cast<size_t>(n));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<double>(n) - static_cast<double>(i);
  Dims dims(4, 1);
  dims[axis] = n;
  return NumbersConstant(DType::kF16, dims, values);
}

class HeadBuilder {
 public:
  HeadBuilder(const HeadShardSpec& spec, FunctionBuilder* f) : s_(spec), f_(f) {}

  void Finish(const std::string& logits, int64_t block) {
    const int64_t rows = s_.vocab_end - s_.vocab_begin;
    switch (s_.form) {
      case HeadForm::kFull:
      case HeadForm::kCertified:
      case HeadForm::kReduced:
        return f_->Output(logits);
      case HeadForm::kTop1:
        return Top1(logits, rows);
      case HeadForm::kBlockMax: {
        f_->Output(logits);
        return f_->Output(
            Reduce(f_, "reduce_max", "block_max", Blocks(logits, rows / block, block), 2));
      }
      case HeadForm::kTop1F16:
        return Top1F16(Blocks(logits, rows / block, block), rows / block, block);
    }
  }

 private:
  std::string Blocks(const std::string& logits, int64_t count, int64_t block) {
    return Reshape(f_, "blocks", logits, {1, count, block, -1});
  }

  // squeeze, topk, cast. uint16 indices where they fit: rule 11 of the placement rules.
  void Top1(const std::string& logits, int64_t rows) {
    const std::string flat = Squeeze(f_, "logits_3d", logits, 3);
    const auto top = f_->OpMulti(
        "topk", "top_value",
        {{"x", {flat}},
         {"k", {IntConstant(1)}},
         {"axis", {IntConstant(1)}},
         {"ascending", {BoolConstant(false)}},
         {"sort", {BoolConstant(true)}},
         {"return_indices", {BoolConstant(true)}},
         {"output_indices_dtype", {StringConstant(rows <= 65535 ? "uint16" : "int32")}}});
    f_->Output(top[0]);
    f_->Output(
        f_->Op("cast", "top_index", {{"x", {top[1]}}, {"dtype", {StringConstant("int32")}}}));
  }

  // 1 where x equals the maximum m, else `miss` (0 or -1), for any x <= m whose difference is
  // finite: the smallest difference of two fp16 numbers is 2^-24, which the factors carry to
  // `miss` - 1 at least, and the clip before them keeps the largest from overflowing. Six ops.
  std::string IsMax(const std::string& p, const std::string& x, const std::string& m, int miss) {
    const float last = miss < 0 ? 8192.0F : 4096.0F;
    const std::string below = Sub(f_, p + "below", x, m);
    const std::string near = Clip(f_, p + "near", below, miss < 0 ? -0x1p-10F : -0x1p-9F, 0.0F);
    const std::string far = Mul(f_, p + "far", near, HalfConstant(4096.0F));
    const std::string farther = Mul(f_, p + "farther", far, HalfConstant(last));
    const std::string shifted = Add(f_, p + "shifted", farther, HalfConstant(1.0F));
    return Clip(f_, p + "hit", shifted, static_cast<float>(miss), 1.0F);
  }

  // The first position on `axis` where hit is 1, counted from the end: the largest of hit * (n, n -
  // 1, ..., 1). A sum would round above 2048, the maximum is exact.
  struct First {
    std::string scores, best;
  };
  First FirstHit(const std::string& p, const std::string& hit, int64_t n, size_t axis) {
    const std::string scores = Mul(f_, p + "scores", hit, CountDown(n, axis));
    return {scores, Reduce(f_, "reduce_max", p + "best", scores, static_cast<int64_t>(axis))};
  }

  void Top1F16(const std::string& blocks, int64_t count, int64_t block) {
    const std::string block_max = Reduce(f_, "reduce_max", "block_max", blocks, 2);  // [1, N, 1, T]
    const std::string top = Reduce(f_, "reduce_max", "top_value", block_max, 1);     // [1, 1, 1, T]
    const First first = FirstHit("block_", IsMax("block_", block_max, top, 0), count, 1);
    const std::string top_block =
        Sub(f_, "top_block", HalfConstant(static_cast<float>(count)), first.best);
    // Lanes of that block; those of the others are held at the lowest number there is. Adding a
    // penalty would overflow.
    const std::string chosen = IsMax("chosen_", first.scores, first.best, -1);
    const std::string ceiling = Mul(f_, "ceiling", chosen, HalfConstant(65504.0F));
    const std::string held = Minimum(f_, "held", blocks, ceiling);
    const std::string lanes = Reduce(f_, "reduce_max", "lanes", held, 1);  // [1, 1, B, T]
    const First lane = FirstHit("lane_", IsMax("lane_", lanes, top, 0), block, 2);
    const std::string top_lane =
        Sub(f_, "top_lane", HalfConstant(static_cast<float>(block)), lane.best);
    f_->Output(top);
    f_->Output(top_block);
    f_->Output(top_lane);
  }

  const HeadShardSpec& s_;
  FunctionBuilder* f_;
};

}  // namespace

Result<int64_t> BlockOf(const HeadShardSpec& spec) {
  const int64_t rows = spec.vocab_end - spec.vocab_begin;
  int64_t block = spec.block;
  if (block == 0) {
    block = std::min<int64_t>(128, rows);
    while (block > 1 && rows % block != 0) --block;
    // Too many blocks of that size: the smallest larger one that divides.
    while (rows / block > kMaxExact && block <= kMaxExact) {
      do ++block;
      while (block <= kMaxExact && rows % block != 0);
    }
  }
  if (block < 1 || rows % block != 0 || block > kMaxExact || rows / block > kMaxExact) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("head shard: expected a block that divides {} rows into at most {} "
                            "blocks of at most {}, "
                            "found {}",
                            rows, kMaxExact, kMaxExact, block));
  }
  return block;
}

int64_t SplitBegin(int64_t rows, int64_t splits, int64_t index) { return rows * index / splits; }

namespace {

// The logits of some rows.
std::string Logits(const HeadShardSpec& spec, FunctionBuilder* f, const std::string& name,
                   const std::string& normed, const std::string& weight) {
  if (spec.soft_cap <= 0) return Project(f, name, normed, weight);
  const std::string product = Project(f, name + "_product", normed, weight);
  const std::string share = Mul(f, name + "_share", product, HalfConstant(1.0F / spec.soft_cap));
  return Mul(f, name, Tanh(f, name + "_tanh", share), HalfConstant(spec.soft_cap));
}

// One convolution an output.
Result<void> AddSplits(const HeadShardSpec& spec, const WeightTarget& target,
                       const RowSource& shard_rows, const std::string& normed) {
  const int64_t rows = spec.vocab_end - spec.vocab_begin;
  for (int64_t i = 0; i < spec.splits; ++i) {
    const int64_t begin = SplitBegin(rows, spec.splits, i);
    RowSource part;
    if (shard_rows) {
      part = [&shard_rows, begin](int64_t first, std::span<float> out) {
        return shard_rows(begin + first, out);
      };
    }
    const MatrixToStore matrix{.name = fmt::format("w_head_{}", i),
                               .rows = SplitBegin(rows, spec.splits, i + 1) - begin,
                               .columns = spec.hidden_size};
    HW_TRY(const std::string weight, EmitWeight(target, matrix, spec.weights, part));
    target.function.Output(
        Logits(spec, &target.function, fmt::format("logits_{}", i), normed, weight));
  }
  return {};
}

}  // namespace

Result<Shard> BuildHeadShard(const HeadShardSpec& spec, std::span<const float> gain,
                             const RowSource& rows, BlobSink* blobs, const ShardOptions& options) {
  const int64_t num_rows = spec.vocab_end - spec.vocab_begin;
  if (spec.splits < 1 || spec.splits > num_rows ||
      (spec.splits > 1 && spec.form != HeadForm::kFull)) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format("head shard: expected 1 to {} splits, and one for the kind {}, found {}",
                    num_rows, NameOf(spec.form), spec.splits));
  }
  if (spec.vocab_begin < 0 || num_rows < 1 || spec.tokens < 1 ||
      static_cast<int64_t>(gain.size()) != spec.hidden_size) {
    return Fail(ErrorCode::kInvalidInput,
                "head shard: expected rows, tokens and one gain per channel");
  }
  int64_t block = 0;
  if (spec.form == HeadForm::kBlockMax || spec.form == HeadForm::kTop1F16) {
    HW_TRY(block, BlockOf(spec));
  }
  Shard shard;
  FunctionBuilder f("CoreML8");
  const WeightTarget target{f, *blobs, options.pool, &shard.weights};
  const int64_t T = spec.flexible ? kUnknownDim : spec.tokens;
  const std::string x = f.Input("hidden", DType::kF16, {1, spec.hidden_size, T, 1});
  HW_TRY(const std::string gain_name, EmitChannelVector(target, "g_final_norm", gain));
  RmsNormParams norm{.epsilon = spec.rms_norm_epsilon,
                     .prescale = spec.norm_prescale,
                     .input_scale = spec.residual_scale,
                     .output_scale = spec.logit_scale};
  if (norm.prescale <= 0) norm.prescale = 1.0F / std::sqrt(static_cast<float>(spec.hidden_size));
  const std::string normed = RmsNorm(&f, "final_norm", x, gain_name, norm);
  RowSource shard_rows;
  if (rows) {
    shard_rows = [&](int64_t first, std::span<float> out) {
      return rows(spec.vocab_begin + first, out);
    };
  }
  if (spec.splits > 1) {
    HW_TRY_VOID(AddSplits(spec, target, shard_rows, normed));
  } else {
    HW_TRY(const std::string weight,
           EmitWeight(target, {.name = "w_head", .rows = num_rows, .columns = spec.hidden_size},
                      spec.weights, shard_rows));
    HeadBuilder(spec, &f).Finish(Logits(spec, &f, "logits", normed, weight), block);
  }
  if (options.progress) options.progress(num_rows * spec.hidden_size, num_rows * spec.hidden_size);
  HW_TRY(Function function, f.Finish());
  HW_TRY(shard.model, MakeModel(std::move(function), {1, spec.tokens}));
  return shard;
}

}  // namespace headway::mil

// Every rule of rules.json is seen firing, on a program that breaks it alone where that can be.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "device/coreml/ir/builder.h"
#include "device/coreml/place/predict_fixture.h"
#include "device/coreml/shards/ops.h"

namespace headway::mil {
namespace {

using namespace ops;  // NOLINT(google-build-using-namespace): programs are lists of ops

using Body = std::function<void(FunctionBuilder* f)>;

// Ids of the rules that fired, for the program and its ops, by the list they were entered in.
struct Fired {
  std::set<std::string> cpu, open, warnings, known;
};

Fired FiredIn(const PlacementReport& report) {
  Fired fired;
  fired.cpu.insert(report.program_reasons.begin(), report.program_reasons.end());
  fired.open.insert(report.program_doubts.begin(), report.program_doubts.end());
  fired.warnings.insert(report.program_warnings.begin(), report.program_warnings.end());
  for (const PlacedOp& op : report.ops) {
    fired.cpu.insert(op.reasons.begin(), op.reasons.end());
    fired.open.insert(op.doubts.begin(), op.doubts.end());
    fired.warnings.insert(op.warnings.begin(), op.warnings.end());
    fired.known.insert(op.known.begin(), op.known.end());
  }
  return fired;
}

constexpr PlacementOptions kLarge = {.weight_bytes = 100000000};

PlacementReport ReportOf(const Body& body, const PlacementOptions& options) {
  FunctionBuilder f("CoreML8");
  body(&f);
  const auto function = f.Finish();
  EXPECT_TRUE(function.has_value()) << function.error().message;
  auto report = PredictPlacement(*function, options);
  EXPECT_TRUE(report.has_value()) << report.error().message;
  return *std::move(report);
}

// That these programs have few weights is not what is asked of them.
Fired FireOf(const Body& body) {
  Fired fired = FiredIn(ReportOf(body, kLarge));
  fired.open.erase("tiny-graph");
  return fired;
}

Fired FireOfOp(const std::string& type, const Dims& x, FunctionBuilder::Params params = {}) {
  return FireOf([&](FunctionBuilder* f) {
    params.insert(params.begin(), {"x", {f->Input("x", DType::kF16, x)}});
    f->Output(f->Op(type, "y", params));
  });
}

// A product of [1, columns, 1, 64] with a weight that is declared and not there.
std::string Blob(FunctionBuilder* f, PhantomBlobs* blobs, DType dtype, const Dims& dims) {
  const int64_t count = *NumElements(dims);
  return f->Const("w", BlobConstant(dtype, dims, *blobs->Append(dtype, count, {})));
}

Fired FireOfWeight(const std::function<std::string(FunctionBuilder*, PhantomBlobs*)>& weight,
                   int64_t columns = 64) {
  return FireOf([&](FunctionBuilder* f) {
    PhantomBlobs blobs;
    const std::string x = f->Input("x", DType::kF16, {1, columns, 1, 64});
    f->Output(Project(f, "y", x, weight(f, &blobs)));
  });
}

Fired FireOfFormat(const WeightFormat& format) {
  return FireOfWeight([&](FunctionBuilder* f, PhantomBlobs* blobs) {
    return *EmitWeight({*f, *blobs}, {.name = "w", .rows = 64, .columns = 64}, format, {});
  });
}

TEST(PlacementRules, ListedByApple_Fire) {
  EXPECT_TRUE(FireOfOp("relu", {1, 1, 1, 1, 1, 32}).cpu.count("rank"));
  EXPECT_FALSE(FireOfOp("relu", {1, 1, 1, 1, 32}).cpu.count("rank"));
  EXPECT_TRUE(FireOf([](FunctionBuilder* f) {
                f->Output(f->Op("relu", "y", {{"x", {f->Input("x", DType::kF32, {64})}}}));
              }).cpu.count("not-fp16"));
  EXPECT_TRUE(FireOfOp("relu", {1, kUnknownDim, 64}).open.count("flexible-shapes"));
  EXPECT_TRUE(FireOfOp("relu", {1, 64, 1, 1}).warnings.count("last-axis-width"));
  EXPECT_TRUE(FireOfOp("relu", {1, 64, 1, 48}).warnings.count("last-axis-width"));
  EXPECT_TRUE(FireOfOp("relu", {1, 64, 1, 64}).warnings.empty());
  EXPECT_TRUE(FireOfOp("reduce_max", {1, 64, 64}, {{"axes", {IntsConstant(Dims{1})}}})
                  .known.count("reduce-max"));
  EXPECT_TRUE(FireOfOp("topk", {1, 64, 64}, {{"k", {IntConstant(1)}}}).cpu.count("index-ops"));
  EXPECT_TRUE(FireOfOp("reduce_argmax", {1, 64, 64}).cpu.count("index-ops"));
  EXPECT_TRUE(
      FireOfOp("add", {64}, {{"y", {HalfConstant(-65504.0F)}}}).warnings.count("mask-constant"));
  EXPECT_TRUE(
      FireOfOp("add", {64}, {{"y", {HalfConstant(-INFINITY)}}}).warnings.count("mask-constant"));
  EXPECT_FALSE(
      FireOfOp("add", {64}, {{"y", {HalfConstant(-40000.0F)}}}).warnings.count("mask-constant"));
}

TEST(PlacementRules, OfProducts_Fire) {
  const auto half = [](int64_t columns, int64_t kernel) {
    return FireOfWeight(
        [&](FunctionBuilder* f, PhantomBlobs* blobs) {
          return Blob(f, blobs, DType::kF16, {64, columns, kernel, kernel});
        },
        columns);
  };
  EXPECT_TRUE(half(16385, 1).cpu.count("reduction-length"));
  EXPECT_FALSE(half(16384, 1).cpu.count("reduction-length"));
  EXPECT_TRUE(half(64, 1).known.count("conv-1x1"));
  EXPECT_TRUE(half(64, 1).open.empty());
  const Fired linear = FireOf([](FunctionBuilder* f) {
    PhantomBlobs blobs;
    const std::string weight = Blob(f, &blobs, DType::kF16, {64, 64});
    const std::string x = f->Input("x", DType::kF16, {1, 64});
    f->Output(f->Op("linear", "y", {{"x", {x}}, {"weight", {weight}}}));
  });
  EXPECT_TRUE(linear.warnings.count("projection-form"));
  const auto matmul = [](int64_t batch) {
    return FireOf([&](FunctionBuilder* f) {
      const std::string x = f->Input("x", DType::kF16, {1, batch, 64, 64});
      f->Output(MatMul(f, "y", x, x, false, false));
    });
  };
  EXPECT_TRUE(matmul(2).warnings.count("batched-product"));
  EXPECT_FALSE(matmul(1).warnings.count("batched-product"));
  const Fired long_matmul = FireOf([](FunctionBuilder* f) {
    const std::string x = f->Input("x", DType::kF16, {64, 16416});
    f->Output(MatMul(f, "y", x, x, false, true));
  });
  EXPECT_TRUE(long_matmul.cpu.count("reduction-length"));
}

TEST(PlacementRules, OfWeights_Fire) {
  const Fired half = FireOfFormat({.kind = WeightKind::kF16});
  EXPECT_TRUE(half.cpu.empty() && half.open.empty());
  EXPECT_EQ(FireOfFormat({.kind = WeightKind::kInt8PerChannel}).open,
            (std::set<std::string>{"int8-per-channel"}));
  EXPECT_EQ(FireOfFormat({.kind = WeightKind::kLut}).open,
            (std::set<std::string>{"table-weights"}));
  EXPECT_EQ(FireOfFormat({.kind = WeightKind::kInt4Blockwise}).cpu,
            (std::set<std::string>{"int4-blocks"}));
  const Fired blocks = FireOfWeight([](FunctionBuilder* f, PhantomBlobs* blobs) {
    const Constant codes =
        BlobConstant(DType::kI8, {64, 64, 1, 1}, *blobs->Append(DType::kI8, 4096, {}));
    const Constant scales =
        BlobConstant(DType::kF16, {64, 2, 1, 1}, *blobs->Append(DType::kF16, 128, {}));
    return f->Constexpr("constexpr_blockwise_shift_scale", "w",
                        {{"data", {codes}}, {"scale", {scales}}});
  });
  EXPECT_EQ(blocks.cpu, (std::set<std::string>{"int8-blocks"}));
  const Fired scaled = FireOfWeight([](FunctionBuilder* f, PhantomBlobs* blobs) {
    const std::string table = *EmitWeight({*f, *blobs}, {.name = "t", .rows = 64, .columns = 64},
                                          {.kind = WeightKind::kLut}, {});
    const Constant scales =
        BlobConstant(DType::kF16, {64, 1, 1, 1}, *blobs->Append(DType::kF16, 64, {}));
    return f->Constexpr("constexpr_blockwise_shift_scale", "w",
                        {{"data", {table}}, {"scale", {scales}}});
  });
  EXPECT_EQ(scaled.cpu, (std::set<std::string>{"scaled-table"}));
}

// A program that reads a state [1, 8, rows, 128], and writes it.
Fired FireOfState(int64_t rows, bool writes) {
  return FireOf([&](FunctionBuilder* f) {
    const std::string state = f->State("s", DType::kF16, {1, 8, rows, 128});
    const std::string value = f->Op("read_state", "v", {{"input", {state}}});
    if (writes) f->Op("write_state", "w", {{"input", {state}}, {"data", {value}}});
    f->Output(f->Op("relu", "y", {{"x", {value}}}));
  });
}

TEST(PlacementRules, OfStatesAndSizes_Fire) {
  EXPECT_EQ(FireOfState(512, true).open, (std::set<std::string>{"state-writes"}));
  EXPECT_TRUE(FireOfState(512, false).open.empty());
  EXPECT_EQ(FireOfState(500, false).open, (std::set<std::string>{"state-size"}));
  const Body relu = [](FunctionBuilder* f) {
    f->Output(f->Op("relu", "y", {{"x", {f->Input("x", DType::kF16, {64})}}}));
  };
  const auto of_bytes = [&](int64_t bytes) {
    return FiredIn(ReportOf(relu, {.weight_bytes = bytes}));
  };
  EXPECT_TRUE(of_bytes(49999999).open.count("small-graph"));
  EXPECT_FALSE(of_bytes(50000000).open.count("small-graph"));
  EXPECT_TRUE(of_bytes(50000000).open.count("tiny-graph"));
  EXPECT_TRUE(of_bytes(2147483649).cpu.count("size-macos"));
}

TEST(PlacementRules, OfOtherOps_Fire) {
  EXPECT_TRUE(FireOfOp("tile", {64}, {{"reps", {IntsConstant(Dims{2})}}}).cpu.count("tile"));
  EXPECT_TRUE(FireOfOp("greater", {64}, {{"y", {HalfConstant(0)}}}).cpu.count("bool-ops"));
  EXPECT_TRUE(FireOfOp("reduce_log_sum_exp", {64, 64}, {{"axes", {IntsConstant(Dims{1})}}})
                  .warnings.count("fp16-cliff-ops"));
  EXPECT_TRUE(FireOfOp("relu", {65600}).cpu.count("axis-length"));
  EXPECT_TRUE(FireOfOp("relu", {16416}).warnings.count("axis-length-old-chips"));
  EXPECT_TRUE(FireOfOp("max_pool", {1, 1, 64, 64},
                       {{"kernel_sizes", {IntsConstant(Dims{1, 14})}},
                        {"strides", {IntsConstant(Dims{1, 1})}},
                        {"pad_type", {StringConstant("valid")}}})
                  .cpu.count("max-pool-window"));
}

TEST(PlacementRules, CacheOutside_WritesNoState) {
  LayerShardSpec spec = PhiLayers(6, {.kind = WeightKind::kF16});
  EXPECT_EQ(FiredIn(Predict(Layers(spec))).open, (std::set<std::string>{"state-writes"}));
  spec.states = StateLayout::kOutside;
  const PlacementReport report = Predict(Layers(spec));
  EXPECT_TRUE(report.FullyResident());
  EXPECT_TRUE(FiredIn(report).open.empty()) << PrintPlacement(report);
}

// The packages that are written when nobody asks for anything else.
TEST(PlacementRules, DefaultPackages_BreakNoneThatIsCertain) {
  std::vector<PlacementReport> reports = {Predict(Layers(PhiLayers(6))),
                                          Predict(Head(PhiHead(4, HeadForm::kFull)))};
  LayerShardSpec four = PhiLayers(6);
  four.tokens = 4;
  reports.push_back(Predict(Layers(four)));
  for (const PlacementReport& report : reports) {
    EXPECT_TRUE(report.FullyResident()) << PrintPlacement(report);
    const Fired fired = FiredIn(report);
    EXPECT_TRUE(fired.cpu.empty());
    for (const PlacementRule& rule : BuiltInPlacementRules()) {
      if (rule.certainty != Certainty::kCertain || rule.verdict == Verdict::kEngine) continue;
      // What a model's own sizes decide: only bandwidth is lost.
      if (rule.id == "dma-notch") continue;
      EXPECT_FALSE(fired.open.count(rule.id) + fired.warnings.count(rule.id)) << rule.id;
    }
    EXPECT_EQ(report.compute_doubtful > 0, !fired.open.empty());
    EXPECT_EQ(PrintPlacement(report).rfind("predicted placement, contested: ", 0), 0U);
  }
}

}  // namespace
}  // namespace headway::mil

// Every rule of rules.json is seen firing, and not firing on a program that lies on its other side.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "device/coreml/ir/builder.h"
#include "device/coreml/place/predict_fixture.h"
#include "device/coreml/shards/ops.h"

namespace headway::mil {
namespace {

using namespace ops;  // NOLINT(google-build-using-namespace): programs are lists of ops

using Body = std::function<void(FunctionBuilder* f)>;
using Weight = std::function<std::string(FunctionBuilder*, PhantomBlobs*)>;

// Ids of the rules that fired, for the program and its ops, by the list they were entered in.
struct Fired {
  std::set<std::string> cpu, open, warnings, known;

  const std::set<std::string>& Of(Verdict verdict) const {
    if (verdict == Verdict::kCpu) return cpu;
    if (verdict == Verdict::kUnknown) return open;
    return verdict == Verdict::kWarn ? warnings : known;
  }
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

Fired FireOf(const Body& body, const PlacementOptions& options = kLarge) {
  FunctionBuilder f("CoreML8");
  body(&f);
  const auto function = f.Finish();
  EXPECT_TRUE(function.has_value()) << function.error().message;
  const auto report = PredictPlacement(*function, options);
  EXPECT_TRUE(report.has_value()) << report.error().message;
  return FiredIn(*report);
}

// A program that breaks a rule, and one as like it as can be that does not.
struct Sides {
  Body breaks, keeps;
  PlacementOptions breaks_with = kLarge;
  PlacementOptions keeps_with = kLarge;
};
using Programs = std::map<std::string, Sides>;

Body Op(const std::string& type, const Dims& x, FunctionBuilder::Params params = {},
        DType dtype = DType::kF16) {
  return [=](FunctionBuilder* f) {
    FunctionBuilder::Params all = params;
    all.insert(all.begin(), {"x", {f->Input("x", dtype, x)}});
    f->Output(f->Op(type, "y", all));
  };
}

// A product of [1, columns, 1, 64] with a weight that is declared and not there.
Body Product(const Weight& weight, int64_t columns = 64) {
  return [=](FunctionBuilder* f) {
    PhantomBlobs blobs;
    const std::string x = f->Input("x", DType::kF16, {1, columns, 1, 64});
    f->Output(Project(f, "y", x, weight(f, &blobs)));
  };
}
Constant Stored(PhantomBlobs* blobs, DType dtype, const Dims& dims) {
  return BlobConstant(dtype, dims, *blobs->Append(dtype, *NumElements(dims), {}));
}
Body HalfProduct(int64_t rows, int64_t columns, int64_t window = 1) {
  return Product(
      [=](FunctionBuilder* f, PhantomBlobs* blobs) {
        return f->Const("w", Stored(blobs, DType::kF16, {rows, columns, 1, window}));
      },
      columns);
}
Body ProductOf(const WeightFormat& format) {
  return Product([=](FunctionBuilder* f, PhantomBlobs* blobs) {
    return *EmitWeight({*f, *blobs}, {.name = "w", .rows = 64, .columns = 64}, format, {});
  });
}
Body ProductOf(WeightKind kind) { return ProductOf(WeightFormat{.kind = kind}); }

// int8 codes with `scales` scales a row.
Body Int8Product(int64_t scales) {
  return Product([=](FunctionBuilder* f, PhantomBlobs* blobs) {
    return f->Constexpr("constexpr_blockwise_shift_scale", "w",
                        {{"data", {Stored(blobs, DType::kI8, {64, 64, 1, 1})}},
                         {"scale", {Stored(blobs, DType::kF16, {64, scales, 1, 1})}}});
  });
}
// A table of such entries for all rows, and a scale a row.
Body ScaledTableProduct(DType entries) {
  return Product([=](FunctionBuilder* f, PhantomBlobs* blobs) {
    const std::string table =
        f->Constexpr("constexpr_lut_to_dense", "t",
                     {{"indices", {Stored(blobs, DType::kU4, {64, 64, 1, 1})}},
                      {"lut", {Stored(blobs, entries, {1, 1, 1, 1, 16, 1})}}});
    return f->Constexpr(
        "constexpr_blockwise_shift_scale", "w",
        {{"data", {table}}, {"scale", {Stored(blobs, DType::kF16, {64, 1, 1, 1})}}});
  });
}

Programs ProgramsOfOps() {
  const auto reduce = [](const char* type) {
    return Op(type, {1, 64, 64}, {{"axes", {IntsConstant(Dims{1})}}});
  };
  const auto plus = [](float value) { return Op("add", {64}, {{"y", {HalfConstant(value)}}}); };
  const auto pool = [](int64_t window) {
    return Op("max_pool", {1, 1, 64, 64},
              {{"kernel_sizes", {IntsConstant(Dims{1, window})}},
               {"strides", {IntsConstant(Dims{1, 1})}},
               {"pad_type", {StringConstant("valid")}}});
  };
  const auto slice = [](int64_t begin) {
    return [=](FunctionBuilder* f) {
      f->Output(Slice(f, "y", f->Input("x", DType::kF16, {64, 64}), 1, begin, begin + 32));
    };
  };
  const auto attention = [](int64_t tokens) {
    return [=](FunctionBuilder* f) {
      const auto input = [&](const char* name) {
        return Argument{f->Input(name, DType::kF16, {1, 16, tokens, 64})};
      };
      f->Output(f->Op("scaled_dot_product_attention", "y",
                      {{"query", input("q")}, {"key", input("k")}, {"value", input("v")}}));
    };
  };
  const Body relu = Op("relu", {64});
  return {
      {"index-ops", {Op("topk", {1, 64, 64}, {{"k", {IntConstant(1)}}}), reduce("reduce_max")}},
      {"int-cast",
       {Op("cast", {64}, {{"dtype", {StringConstant("int32")}}}),
        Op("cast", {64}, {{"dtype", {StringConstant("fp16")}}})}},
      {"gather-ops", {Op("gather", {64, 64}, {{"indices", {IntsConstant(Dims{1, 2})}}}), slice(0)}},
      {"bool-ops",
       {Op("greater", {64}, {{"y", {HalfConstant(0)}}}),
        Op("maximum", {64}, {{"y", {HalfConstant(0)}}})}},
      {"tile", {Op("tile", {64}, {{"reps", {IntsConstant(Dims{2})}}}), relu}},
      {"not-fp16", {Op("relu", {64}, {}, DType::kF32), relu}},
      {"rank", {Op("relu", {1, 1, 1, 1, 1, 32}), Op("relu", {1, 1, 1, 1, 32})}},
      {"axis-length", {Op("relu", {65568}), Op("relu", {65536})}},
      {"axis-length-old-chips", {Op("relu", {16416}), Op("relu", {16384})}},
      {"reduce-max", {reduce("reduce_max"), reduce("reduce_mean")}},
      {"max-pool-window", {pool(14), pool(13)}},
      {"attention-size", {attention(1024), attention(2048)}},
      {"mask-constant", {plus(-65504.0F), plus(-40000.0F)}},
      {"last-axis-slice", {slice(32), slice(0)}},
      {"fp16-cliff-ops", {reduce("reduce_log_sum_exp"), reduce("reduce_sum")}},
  };
}

Programs ProgramsOfProducts() {
  const Body linear = [](FunctionBuilder* f) {
    PhantomBlobs blobs;
    const std::string weight = f->Const("w", Stored(&blobs, DType::kF16, {64, 64}));
    const std::string x = f->Input("x", DType::kF16, {1, 64});
    f->Output(f->Op("linear", "y", {{"x", {x}}, {"weight", {weight}}}));
  };
  const auto matmul = [](int64_t batch, int64_t columns) {
    return [=](FunctionBuilder* f) {
      const std::string x = f->Input("x", DType::kF16, {1, batch, 64, columns});
      f->Output(MatMul(f, "y", x, x, false, true));
    };
  };
  const Body half = ProductOf(WeightKind::kF16);
  return {
      {"reduction-length", {HalfProduct(64, 16385), HalfProduct(64, 16384)}},
      {"conv-channels", {HalfProduct(65537, 64), HalfProduct(65536, 64)}},
      {"conv-1x1", {HalfProduct(64, 64), HalfProduct(64, 64, 3)}},
      {"projection-form", {linear, matmul(1, 64)}},
      {"batched-product", {matmul(2, 64), matmul(1, 64)}},
      {"dma-notch", {HalfProduct(512, 16384), HalfProduct(512, 15360)}},  // 1 MiB a core
      {"int4-blocks", {ProductOf(WeightKind::kInt4Blockwise), half}},
      {"int8-blocks", {Int8Product(2), Int8Product(1)}},
      {"int8-per-channel", {ProductOf(WeightKind::kInt8PerChannel), half}},
      {"table-weights", {ProductOf(WeightKind::kLut), half}},
      {"scaled-table", {ScaledTableProduct(DType::kF16), ProductOf(WeightKind::kLut)}},
      {"int8-table", {ScaledTableProduct(DType::kI8), ScaledTableProduct(DType::kF16)}},
  };
}

Programs ProgramsOfPrograms() {
  const Body relu = Op("relu", {64});
  const auto state = [](int64_t rows, bool writes) {
    return [=](FunctionBuilder* f) {
      const std::string held = f->State("s", DType::kF16, {1, 8, rows, 128});
      const std::string value = f->Op("read_state", "v", {{"input", {held}}});
      if (writes) f->Op("write_state", "w", {{"input", {held}}, {"data", {value}}});
      f->Output(f->Op("relu", "y", {{"x", {value}}}));
    };
  };
  const auto states = [](int count) {
    return [=](FunctionBuilder* f) {
      for (int i = 0; i < count; ++i) {
        const std::string held = f->State(fmt::format("s{}", i), DType::kF16, {64, 64});
        f->Output(f->Op("read_state", fmt::format("v{}", i), {{"input", {held}}}));
      }
    };
  };
  const auto bytes = [&](int64_t above, int64_t below, Platform platform = Platform::kMacos) {
    return Sides{relu,
                 relu,
                 {.platform = platform, .weight_bytes = above},
                 {.platform = platform, .weight_bytes = below}};
  };
  const PlacementOptions phone = {.platform = Platform::kIos, .weight_bytes = 100000000};
  return {
      {"state-writes", {state(512, true), state(512, false)}},
      {"state-size", {state(500, false), state(512, false)}},
      {"last-axis-width", {Op("relu", {1, 64, 1, 48}), Op("relu", {1, 64, 1, 64})}},
      {"size-macos", bytes(2147483649, 2147483648)},
      {"size-ios", bytes(1400000001, 1400000000, Platform::kIos)},
      {"size-ios-limit", bytes(1000000001, 1000000000, Platform::kIos)},
      {"states-ios", {states(3), states(2), phone, phone}},
      {"flexible-shapes", {Op("relu", {1, kUnknownDim, 64}), Op("relu", {1, 64, 64})}},
      {"tiny-graph", {HalfProduct(1023, 1024), HalfProduct(1024, 1024)}},
      {"small-graph", bytes(49999999, 50000000)},
  };
}

// Goes over the rules themselves: one without a program fails.
TEST(PlacementRules, EachFires_OnAProgramThatBreaksIt_NotOnOneBesideIt) {
  Programs programs = ProgramsOfOps();
  programs.merge(ProgramsOfProducts());
  programs.merge(ProgramsOfPrograms());
  for (const PlacementRule& rule : BuiltInPlacementRules()) {
    SCOPED_TRACE(rule.id);
    const auto found = programs.find(rule.id);
    if (found == programs.end()) {
      ADD_FAILURE() << "expected a program here that breaks it, found none";
      continue;
    }
    const Sides& sides = found->second;
    EXPECT_TRUE(FireOf(sides.breaks, sides.breaks_with).Of(rule.verdict).count(rule.id));
    EXPECT_FALSE(FireOf(sides.keeps, sides.keeps_with).Of(rule.verdict).count(rule.id));
    if (rule.platforms.empty()) continue;
    PlacementOptions elsewhere = sides.breaks_with;
    elsewhere.platform = elsewhere.platform == Platform::kIos ? Platform::kMacos : Platform::kIos;
    EXPECT_FALSE(FireOf(sides.breaks, elsewhere).Of(rule.verdict).count(rule.id));
  }
  EXPECT_EQ(programs.size(), BuiltInPlacementRules().size());
}

// What makes a program alone differ from one that stays.
TEST(PlacementRules, OfWeights_FireAlone) {
  const auto fire = [](const Body& body) {
    Fired fired = FireOf(body);
    fired.open.erase("tiny-graph");
    return fired;
  };
  using Ids = std::set<std::string>;
  const Fired half = fire(ProductOf(WeightKind::kF16));
  EXPECT_TRUE(half.cpu.empty() && half.open.empty() && half.warnings.empty());
  EXPECT_EQ(fire(ProductOf(WeightKind::kInt8PerChannel)).open, (Ids{"int8-per-channel"}));
  EXPECT_EQ(fire(ProductOf(WeightKind::kLut)).open, (Ids{"table-weights"}));
  EXPECT_EQ(fire(ProductOf(WeightKind::kInt4Blockwise)).cpu, (Ids{"int4-blocks"}));
  EXPECT_EQ(fire(Int8Product(2)).cpu, (Ids{"int8-blocks"}));
  EXPECT_EQ(fire(ScaledTableProduct(DType::kF16)).cpu, (Ids{"scaled-table"}));
  EXPECT_EQ(fire(ScaledTableProduct(DType::kI8)).cpu, (Ids{"int8-table", "scaled-table"}));
}

TEST(PlacementRules, OtherFormsOfAProgram_FireToo) {
  const auto with_mask = [](float value) {
    return FireOf(Op("add", {64}, {{"y", {HalfConstant(value)}}})).warnings;
  };
  EXPECT_TRUE(with_mask(-INFINITY).count("mask-constant"));
  EXPECT_TRUE(FireOf(Op("relu", {1, 64, 1, 1})).warnings.count("last-axis-width"));
  EXPECT_TRUE(FireOf(Op("reduce_argmax", {1, 64, 64})).cpu.count("index-ops"));
  EXPECT_TRUE(FireOf([](FunctionBuilder* f) {
                const std::string x = f->Input("x", DType::kF16, {64, 16416});
                f->Output(MatMul(f, "y", x, x, false, true));
              }).cpu.count("reduction-length"));
}

TEST(PlacementRules, CacheOutside_WritesNoState) {
  LayerShardSpec spec = PhiLayers(6, {.kind = WeightKind::kF16});
  EXPECT_EQ(FiredIn(Predict(Layers(spec))).open, (std::set<std::string>{"state-writes"}));
  spec.states = StateLayout::kOutside;
  const PlacementReport report = Predict(Layers(spec));
  EXPECT_TRUE(report.FullyResident());
  EXPECT_TRUE(FiredIn(report).open.empty()) << PrintPlacement(report);
}

// The packages that are written when nobody asks for anything else: all that is said of them, which
// docs/formats/coreml_package.md lists.
TEST(PlacementRules, DefaultPackages_FireTheseAndNoOthers) {
  using Ids = std::set<std::string>;
  const auto expect = [](const PlacementReport& report, const Ids& open, const Ids& warnings) {
    EXPECT_TRUE(report.FullyResident()) << PrintPlacement(report);
    const Fired fired = FiredIn(report);
    EXPECT_EQ(fired.cpu, Ids{});
    EXPECT_EQ(fired.open, open);
    EXPECT_EQ(fired.warnings, warnings);
    EXPECT_EQ(PrintPlacement(report).rfind("predicted placement, contested: ", 0), 0U);
  };
  const Ids layers_open = {"int8-per-channel", "state-writes"};
  expect(Predict(Layers(PhiLayers(6))), layers_open,
         {"dma-notch", "last-axis-slice", "last-axis-width"});
  LayerShardSpec four = PhiLayers(6);
  four.tokens = 4;
  expect(Predict(Layers(four)), layers_open, {"batched-product", "dma-notch", "last-axis-width"});
  expect(Predict(Head(PhiHead(4, HeadForm::kFull))), {"int8-per-channel"}, {"last-axis-width"});
  // Of a small model its size besides.
  LayerShardSpec small = PhiLayers(1);
  small.hidden_size = 512;
  small.num_heads = 8;
  small.num_kv_heads = 4;
  small.head_dim = 64;
  small.rotary_dims = 64;
  small.intermediate_size = 1408;
  expect(Predict(Layers(small)), {"int8-per-channel", "small-graph", "state-writes"},
         {"last-axis-slice", "last-axis-width"});
}

}  // namespace
}  // namespace headway::mil

// Every group of kernels against numbers that a person can check.

#include <cmath>

#include "device/coreml/run/ops_fixture.h"

namespace headway::mil {
namespace {

TEST(Kernels, Binary_BroadcastsAndFollowsNumPy) {
  const Tensor x = F32({2, 1, 3}, {1, -2, 3, 4, 5, -6});
  const Tensor y = F32({2, 1}, {2, -4});
  EXPECT_EQ(RunOp("add", {{"x", x}, {"y", y}}, {}),
            (std::vector<float>{3, 0, 5, -3, -6, -1, 6, 7, -4, 0, 1, -10}));
  EXPECT_EQ(RunOp("sub", {{"x", x}, {"y", F32({1}, {1})}}, {}),
            (std::vector<float>{0, -3, 2, 3, 4, -7}));
  EXPECT_EQ(RunOp("mul", {{"x", x}, {"y", F32({}, {2})}}, {}),
            (std::vector<float>{2, -4, 6, 8, 10, -12}));
  EXPECT_EQ(RunOp("floor_div", {{"x", F32({3}, {5, -5, 4})}, {"y", F32({}, {2})}}, {}),
            (std::vector<float>{2, -3, 2}));
  EXPECT_EQ(RunOp("mod", {{"x", F32({3}, {5, -5, 4})}, {"y", F32({}, {3})}}, {}),
            (std::vector<float>{2, 1, 1}));
  EXPECT_EQ(RunOp("pow", {{"x", F32({2}, {3, -2})}, {"y", F32({}, {2})}}, {}),
            (std::vector<float>{9, 4}));
  EXPECT_EQ(RunOp("maximum", {{"x", x}, {"y", F32({}, {0})}}, {}),
            (std::vector<float>{1, 0, 3, 4, 5, 0}));
  EXPECT_EQ(RunOp("greater", {{"x", x}, {"y", F32({}, {1})}}, {}),
            (std::vector<float>{0, 0, 1, 1, 1, 0}));
  EXPECT_EQ(RunOp("minimum", {{"x", x}, {"y", F32({}, {0})}}, {}),
            (std::vector<float>{0, -2, 0, 0, 0, -6}));
  EXPECT_EQ(RunOp("real_div", {{"x", F32({2}, {3, -1})}, {"y", F32({}, {2})}}, {}),
            (std::vector<float>{1.5F, -0.5F}));
  EXPECT_EQ(RunOp("floor_div", {{"x", I32({3}, {7, -7, 1})}, {"y", I32({3}, {2, 2, 0})}}, {}),
            (std::vector<float>{3, -4, 0}));
  const std::vector<int32_t> no_yes = {0, 1};
  EXPECT_EQ(RunOp("select",
                  {{"cond", MakeIntTensor(DType::kBool, {2, 1}, no_yes)},
                   {"a", F32({3}, {1, 2, 3})},
                   {"b", F32({}, {9})}},
                  {}),
            (std::vector<float>{9, 9, 9, 1, 2, 3}));
}

TEST(Kernels, ComparisonsAndLogic) {
  const Tensor x = F32({3}, {1, 2, 3});
  const auto compare = [&](const char* op) {
    return RunOp(op, {{"x", x}, {"y", F32({}, {2})}}, {});
  };
  EXPECT_EQ(compare("equal"), (std::vector<float>{0, 1, 0}));
  EXPECT_EQ(compare("not_equal"), (std::vector<float>{1, 0, 1}));
  EXPECT_EQ(compare("greater_equal"), (std::vector<float>{0, 1, 1}));
  EXPECT_EQ(compare("less"), (std::vector<float>{1, 0, 0}));
  EXPECT_EQ(compare("less_equal"), (std::vector<float>{1, 1, 0}));
  const auto bits = [](std::vector<int32_t> values) {
    return MakeIntTensor(DType::kBool, {4}, values);
  };
  const Tensor a = bits({0, 0, 1, 1});
  const Tensor b = bits({0, 1, 0, 1});
  EXPECT_EQ(RunOp("logical_and", {{"x", a}, {"y", b}}, {}), (std::vector<float>{0, 0, 0, 1}));
  EXPECT_EQ(RunOp("logical_or", {{"x", a}, {"y", b}}, {}), (std::vector<float>{0, 1, 1, 1}));
  EXPECT_EQ(RunOp("logical_xor", {{"x", a}, {"y", b}}, {}), (std::vector<float>{0, 1, 1, 0}));
  EXPECT_EQ(RunOp("logical_not", {{"x", a}}, {}), (std::vector<float>{1, 1, 0, 0}));
}

TEST(Kernels, Unary_MatchesTheFormulas) {
  const std::vector<float> values = {-2.5F, -1, 0, 0.5F, 2.5F};
  const Tensor x = F32({5}, values);
  const auto expect = [&](const char* op, const auto& formula, Params params = {}) {
    const std::vector<float> found = RunOp(op, {{"x", x}}, std::move(params));
    for (size_t i = 0; i < values.size(); ++i)
      EXPECT_NEAR(found[i], formula(values[i]), 1e-6) << op << " " << values[i];
  };
  expect("silu", [](double v) { return v / (1 + std::exp(-v)); });
  expect("sigmoid", [](double v) { return 1 / (1 + std::exp(-v)); });
  expect("tanh", [](double v) { return std::tanh(v); });
  expect("exp", [](double v) { return std::exp(v); });
  expect("exp2", [](double v) { return std::exp2(v); });
  expect("erf", [](double v) { return std::erf(v); });
  expect("gelu", [](double v) { return 0.5 * v * (1 + std::erf(v / std::sqrt(2.0))); });
  expect("relu", [](double v) { return std::max(v, 0.0); });
  expect("abs", [](double v) { return std::abs(v); });
  expect("square", [](double v) { return v * v; });
  expect("floor", [](double v) { return std::floor(v); });
  expect("round", [](double v) { return std::nearbyint(v); });
  expect("sign", [](double v) { return static_cast<double>((v > 0) - (v < 0)); });
  expect("clip", [](double v) { return std::min(std::max(v, -1.0), 1.0); },
         {{"alpha", {FloatConstant(-1)}}, {"beta", {FloatConstant(1)}}});
  EXPECT_EQ(RunOp("rsqrt", {{"x", F32({2}, {4, 3})}}, {{"epsilon", {FloatConstant(1)}}})[1], 0.5F);
  EXPECT_EQ(RunOp("sqrt", {{"x", F32({2}, {4, 9})}}, {}), (std::vector<float>{2, 3}));
  EXPECT_NEAR(RunOp("log", {{"x", F32({1}, {5})}}, {})[0], std::log(5.0), 1e-6);
  EXPECT_EQ(RunOp("identity", {{"x", x}}, {}), values);
  EXPECT_EQ(RunOp("cast", {{"x", F32({4}, {-1.7F, 1.7F, 1e20F, NAN})}},
                  {{"dtype", {StringConstant("int32")}}}),
            (std::vector<float>{-1, 1, 2147483647.0F, 0}));
  EXPECT_EQ(RunOp("cast", {{"x", F32({2}, {-1.7F, 300})}}, {{"dtype", {StringConstant("uint8")}}}),
            (std::vector<float>{255, 44}));
}

TEST(Kernels, Reductions) {
  const Tensor x = F32({2, 3}, {1, 2, 3, -4, 5, 0});
  const auto run = [&](const char* op, int64_t axis) {
    return RunOp(op, {{"x", x}}, {{"axes", {Ints({axis})}}});
  };
  EXPECT_EQ(run("reduce_sum", 1), (std::vector<float>{6, 1}));
  EXPECT_EQ(run("reduce_mean", 0), (std::vector<float>{-1.5F, 3.5F, 1.5F}));
  EXPECT_EQ(run("reduce_max", -1), (std::vector<float>{3, 5}));
  EXPECT_EQ(run("reduce_min", -1), (std::vector<float>{1, -4}));
  EXPECT_EQ(run("reduce_prod", 1), (std::vector<float>{6, 0}));
  EXPECT_EQ(run("reduce_sum_square", 1), (std::vector<float>{14, 41}));
  EXPECT_NEAR(run("reduce_l2_norm", 1)[0], std::sqrt(14.0), 1e-6);
  EXPECT_NEAR(run("reduce_log_sum_exp", 1)[0], std::log(std::exp(1) + std::exp(2) + std::exp(3)),
              1e-6);
  EXPECT_EQ(RunOp("reduce_sum", {{"x", x}}, {}), (std::vector<float>{7}));
  EXPECT_EQ(RunOp("reduce_argmax", {{"x", F32({2, 3}, {1, 3, 3, 0, 0, 0})}},
                  {{"axis", {IntConstant(1)}}}),
            (std::vector<float>{1, 0}));
  EXPECT_EQ(RunOp("reduce_argmin", {{"x", x}}, {{"axis", {IntConstant(0)}}}),
            (std::vector<float>{1, 0, 1}));
  EXPECT_EQ(RunOp("topk", {{"x", x}}, {{"k", {IntConstant(2)}}}), (std::vector<float>{3, 2, 5, 0}));
  EXPECT_EQ(RunOp("topk", {{"x", x}}, {{"k", {IntConstant(2)}}}, 1),
            (std::vector<float>{2, 1, 1, 2}));
  EXPECT_EQ(RunOp("argsort", {{"x", x}}, {{"ascending", {BoolConstant(true)}}}),
            (std::vector<float>{0, 1, 2, 0, 2, 1}));
  const auto softmax = RunOp("softmax", {{"x", F32({1, 3}, {0, 1, -10000})}}, {});
  EXPECT_NEAR(softmax[1], 1 / (1 + std::exp(-1.0)), 1e-6);
  EXPECT_EQ(softmax[2], 0);
  const auto norm = RunOp("layer_norm", {{"x", F32({1, 2}, {1, 3})}},
                          {{"axes", {Ints({-1})}}, {"epsilon", {FloatConstant(0)}}});
  EXPECT_EQ(norm, (std::vector<float>{-1, 1}));
}

TEST(Kernels, ShapesAndSlices) {
  const Tensor x = F32({2, 3}, {0, 1, 2, 3, 4, 5});
  EXPECT_EQ(RunOp("transpose", {{"x", x}}, {{"perm", {Ints({1, 0})}}}),
            (std::vector<float>{0, 3, 1, 4, 2, 5}));
  for (const auto& [op, param] :
       std::vector<std::pair<std::string, Params>>{{"reshape", {{"shape", {Ints({3, -1})}}}},
                                                   {"expand_dims", {{"axes", {Ints({0})}}}},
                                                   {"squeeze", {}}})
    EXPECT_EQ(RunOp(op, {{"x", x}}, param), (std::vector<float>{0, 1, 2, 3, 4, 5})) << op;
  EXPECT_EQ(RunOp("tile", {{"x", F32({1, 2}, {7, 8})}}, {{"reps", {Ints({2, 2})}}}),
            (std::vector<float>{7, 8, 7, 8, 7, 8, 7, 8}));
  EXPECT_EQ(
      RunOp("slice_by_index", {{"x", x}}, {{"begin", {Ints({0, -2})}}, {"end", {Ints({2, 3})}}}),
      (std::vector<float>{1, 2, 4, 5}));
  EXPECT_EQ(RunOp("slice_by_index", {{"x", x}},
                  {{"begin", {Ints({0, 0})}}, {"end", {Ints({2, 3})}}, {"stride", {Ints({1, 2})}}}),
            (std::vector<float>{0, 2, 3, 5}));
  EXPECT_EQ(
      RunOp("slice_by_size", {{"x", x}}, {{"begin", {Ints({1, 1})}}, {"size", {Ints({1, -1})}}}),
      (std::vector<float>{4, 5}));
  EXPECT_EQ(RunOp("slice_update", {{"x", x}, {"update", F32({2, 1}, {9, 8})}},
                  {{"begin", {Ints({0, 1})}}, {"end", {Ints({2, 2})}}}),
            (std::vector<float>{0, 9, 2, 3, 8, 5}));
  EXPECT_EQ(
      RunOp("split", {{"x", x}}, {{"split_sizes", {Ints({1, 2})}}, {"axis", {IntConstant(1)}}}, 1),
      (std::vector<float>{1, 2, 4, 5}));
  EXPECT_EQ(
      RunOp("gather", {{"x", x}, {"indices", I32({2}, {2, 0})}}, {{"axis", {IntConstant(1)}}}),
      (std::vector<float>{2, 0, 5, 3}));
  EXPECT_EQ(RunOp("gather_along_axis", {{"x", x}, {"indices", I32({2, 1}, {2, 0})}},
                  {{"axis", {IntConstant(1)}}}),
            (std::vector<float>{2, 3}));
}

TEST(Kernels, ConcatAndStack_JoinInOrder) {
  FunctionBuilder f("CoreML8");
  const std::string a = f.Input("a", DType::kF32, {2, 1});
  const std::string b = f.Input("b", DType::kF32, {2, 2});
  const std::string c = f.Input("c", DType::kF32, {2, 1});
  f.Output(f.Op("concat", "joined", {{"values", {a, b}}, {"axis", {IntConstant(1)}}}));
  f.Output(
      f.Op("concat", "interleaved",
           {{"values", {a, c}}, {"axis", {IntConstant(0)}}, {"interleave", {BoolConstant(true)}}}));
  f.Output(f.Op("stack", "stacked", {{"values", {a, a}}, {"axis", {IntConstant(0)}}}));
  const auto function = f.Finish();
  ASSERT_TRUE(function.has_value()) << function.error().message;
  auto interpreter = Interpreter::Create(*function, nullptr, {});
  TensorMap states;
  const auto out = interpreter->Run(
      {{"a", F32({2, 1}, {1, 2})}, {"b", F32({2, 2}, {3, 4, 5, 6})}, {"c", F32({2, 1}, {7, 8})}},
      &states);
  ASSERT_TRUE(out.has_value()) << out.error().message;
  EXPECT_EQ(Floats(out->at("joined")), (std::vector<float>{1, 3, 4, 2, 5, 6}));
  EXPECT_EQ(Floats(out->at("interleaved")), (std::vector<float>{1, 7, 2, 8}));
  EXPECT_EQ(Floats(out->at("stacked")), (std::vector<float>{1, 2, 1, 2}));
}

}  // namespace
}  // namespace headway::mil

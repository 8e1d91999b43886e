#include "mil/run/interpreter.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "mil/ir/builder.h"
#include "mil/ir/packing.h"
#include "mil/run/kernel.h"
#include "tensor/half.h"

namespace headway::mil {
namespace {

using Params = FunctionBuilder::Params;

Constant Ints(std::initializer_list<int64_t> values) {
  return IntsConstant(std::vector<int64_t>(values));
}

std::vector<float> Floats(const Tensor& tensor) {
  if (!tensor.IsFloat()) return {tensor.Ints().begin(), tensor.Ints().end()};
  return {tensor.Floats().begin(), tensor.Floats().end()};
}

Tensor F32(Dims dims, std::vector<float> values) {
  return MakeTensor(DType::kF32, std::move(dims), values);
}

// Runs one op on computed inputs and gives its first output.
std::vector<float> RunOp(const std::string& op,
                         const std::vector<std::pair<std::string, Tensor>>& tensors, Params params,
                         size_t output = 0) {
  FunctionBuilder f("CoreML8");
  TensorMap inputs;
  for (const auto& [param, tensor] : tensors) {
    const std::string name = f.Input("in_" + param, tensor.type.dtype, tensor.type.dims);
    inputs[name] = tensor;
    params.push_back({param, {name}});
  }
  const auto names = f.OpMulti(op, "out", params);
  for (const std::string& name : names) f.Output(name);
  auto function = f.Finish();
  EXPECT_TRUE(function.has_value()) << op << ": " << function.error().message;
  if (!function) return {};
  auto interpreter = Interpreter::Create(*function, nullptr, {});
  TensorMap states;
  auto outputs = interpreter->Run(inputs, &states);
  EXPECT_TRUE(outputs.has_value()) << op << ": " << outputs.error().message;
  return outputs ? Floats(outputs->at(names[output])) : std::vector<float>();
}

TEST(Interpreter, EveryOpOfTheTable_HasAKernel) {
  for (const OpSpec& spec : OpTable()) {
    const bool own =
        IsConstantOp(spec.name) || spec.name == "read_state" || spec.name == "write_state";
    EXPECT_EQ(FindKernel(spec.name) != nullptr, !own) << spec.name;
  }
  for (const KernelRow& row : KernelTable()) {
    Operation op;
    op.type = row.op;
    op.inputs["x"] = {};
    const OpSpec* spec = FindOpSpec(op);
    ASSERT_NE(spec, nullptr) << row.op;
    for (std::string_view param : row.params) {
      if (param.front() == '*') param.remove_prefix(1);
      EXPECT_TRUE(std::any_of(spec->params.begin(), spec->params.end(),
                              [&](const ParamSpec& p) { return p.name == param; }))
          << row.op << " " << param;
    }
  }
}

TEST(Interpreter, Binary_BroadcastsAndFollowsNumPy) {
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
  const std::vector<int32_t> a = {7, -7, 1};
  const std::vector<int32_t> b = {2, 2, 0};
  EXPECT_EQ(
      RunOp("floor_div",
            {{"x", MakeIntTensor(DType::kI32, {3}, a)}, {"y", MakeIntTensor(DType::kI32, {3}, b)}},
            {}),
      (std::vector<float>{3, -4, 0}));
  const std::vector<int32_t> no_yes = {0, 1};
  EXPECT_EQ(RunOp("select",
                  {{"cond", MakeIntTensor(DType::kBool, {2, 1}, no_yes)},
                   {"a", F32({3}, {1, 2, 3})},
                   {"b", F32({}, {9})}},
                  {}),
            (std::vector<float>{9, 9, 9, 1, 2, 3}));
}

TEST(Interpreter, Unary_MatchesTheFormulas) {
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
  EXPECT_EQ(RunOp("cast", {{"x", F32({4}, {-1.7F, 1.7F, 1e20F, NAN})}},
                  {{"dtype", {StringConstant("int32")}}}),
            (std::vector<float>{-1, 1, 2147483647.0F, 0}));
  EXPECT_EQ(RunOp("cast", {{"x", F32({2}, {-1.7F, 300})}}, {{"dtype", {StringConstant("uint8")}}}),
            (std::vector<float>{255, 44}));
}

TEST(Interpreter, Reductions) {
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

TEST(Interpreter, ShapesAndSlices) {
  const Tensor x = F32({2, 3}, {0, 1, 2, 3, 4, 5});
  EXPECT_EQ(RunOp("transpose", {{"x", x}}, {{"perm", {Ints({1, 0})}}}),
            (std::vector<float>{0, 3, 1, 4, 2, 5}));
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
  const std::vector<int32_t> picks = {2, 0};
  EXPECT_EQ(RunOp("gather", {{"x", x}, {"indices", MakeIntTensor(DType::kI32, {2}, picks)}},
                  {{"axis", {IntConstant(1)}}}),
            (std::vector<float>{2, 0, 5, 3}));
  EXPECT_EQ(
      RunOp("gather_along_axis", {{"x", x}, {"indices", MakeIntTensor(DType::kI32, {2, 1}, picks)}},
            {{"axis", {IntConstant(1)}}}),
      (std::vector<float>{2, 3}));
}

TEST(Interpreter, ConcatAndStack_JoinInOrder) {
  FunctionBuilder f("CoreML8");
  const std::string a = f.Input("a", DType::kF32, {2, 1});
  const std::string b = f.Input("b", DType::kF32, {2, 2});
  f.Output(f.Op("concat", "joined", {{"values", {a, b}}, {"axis", {IntConstant(1)}}}));
  f.Output(f.Op("stack", "stacked", {{"values", {a, a}}, {"axis", {IntConstant(0)}}}));
  const auto function = f.Finish();
  ASSERT_TRUE(function.has_value()) << function.error().message;
  auto interpreter = Interpreter::Create(*function, nullptr, {});
  TensorMap states;
  const auto out =
      interpreter->Run({{"a", F32({2, 1}, {1, 2})}, {"b", F32({2, 2}, {3, 4, 5, 6})}}, &states);
  ASSERT_TRUE(out.has_value()) << out.error().message;
  EXPECT_EQ(Floats(out->at("joined")), (std::vector<float>{1, 3, 4, 2, 5, 6}));
  EXPECT_EQ(Floats(out->at("stacked")), (std::vector<float>{1, 2, 1, 2}));
}

TEST(Interpreter, Products_MatchHandComputedNumbers) {
  const Tensor x = F32({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(RunOp("matmul", {{"x", x}, {"y", F32({3, 1}, {1, 0, -1})}}, {}),
            (std::vector<float>{-2, -2}));
  EXPECT_EQ(RunOp("matmul", {{"x", x}, {"y", F32({1, 3}, {1, 0, -1})}},
                  {{"transpose_y", {BoolConstant(true)}}}),
            (std::vector<float>{-2, -2}));
  EXPECT_EQ(RunOp("matmul", {{"x", x}, {"y", F32({2, 1}, {1, -1})}},
                  {{"transpose_x", {BoolConstant(true)}}}),
            (std::vector<float>{-3, -3, -3}));
  // Batches broadcast: x [2, 1, 1, 2] with y [1, 2, 2, 1].
  EXPECT_EQ(
      RunOp("matmul",
            {{"x", F32({2, 1, 1, 2}, {1, 2, 3, 4})}, {"y", F32({1, 2, 2, 1}, {1, 0, 0, 1})}}, {}),
      (std::vector<float>{1, 2, 3, 4}));
  // A 1x1 convolution over two positions, and a general one with padding, stride and groups.
  EXPECT_EQ(RunOp("conv",
                  {{"x", F32({1, 2, 2, 1}, {1, 2, 3, 4})},
                   {"weight", F32({1, 2, 1, 1}, {10, 1})},
                   {"bias", F32({1}, {0.5F})}},
                  {}),
            (std::vector<float>{13.5F, 24.5F}));
  EXPECT_EQ(RunOp("conv",
                  {{"x", F32({1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8})},
                   {"weight", F32({2, 1, 3}, {1, 1, 1, 1, 0, -1})}},
                  {{"groups", {IntConstant(2)}},
                   {"strides", {Ints({2})}},
                   {"pad_type", {StringConstant("custom")}},
                   {"pad", {Ints({1, 0})}}}),
            (std::vector<float>{3, 9, -6, -2}));
  EXPECT_EQ(RunOp("max_pool", {{"x", F32({1, 1, 4}, {1, 5, 2, 3})}},
                  {{"kernel_sizes", {Ints({2})}},
                   {"strides", {Ints({2})}},
                   {"pad_type", {StringConstant("valid")}}}),
            (std::vector<float>{5, 3}));
  // One query that attends to the second key only.
  const std::vector<int32_t> mask = {0, 1};
  EXPECT_EQ(RunOp("scaled_dot_product_attention",
                  {{"query", F32({1, 1, 2}, {1, 1})},
                   {"key", F32({1, 2, 2}, {1, 1, 2, 2})},
                   {"value", F32({1, 2, 1}, {7, 9})},
                   {"attn_mask", MakeIntTensor(DType::kBool, {1, 2}, mask)}},
                  {}),
            (std::vector<float>{9}));
}

// y = conv(x, constexpr weight): what the weight decodes to, as columns of the identity are sent
// through.
std::vector<float> DecodedWeight(FunctionBuilder* f, const std::string& weight,
                                 const BlobSource* blobs) {
  const Dims dims = f->TypeOf(weight).dims;
  const std::string x = f->Input("x", DType::kF16, {1, dims[1], dims[1], 1});
  f->Output(f->Op("conv", "y", {{"x", {x}}, {"weight", {weight}}}));
  const auto function = f->Finish();
  EXPECT_TRUE(function.has_value()) << function.error().message;
  std::vector<float> identity(static_cast<size_t>(dims[1] * dims[1]), 0.0F);
  for (int64_t i = 0; i < dims[1]; ++i) identity[static_cast<size_t>(i * dims[1] + i)] = 1.0F;
  auto interpreter = Interpreter::Create(*function, blobs, {});
  TensorMap states;
  const auto out = interpreter->Run(
      {{"x", MakeTensor(DType::kF16, {1, dims[1], dims[1], 1}, identity)}}, &states);
  EXPECT_TRUE(out.has_value()) << out.error().message;
  return Floats(out->at("y"));
}

TEST(Interpreter, Constexpr_BlockwiseAndOffset) {
  FunctionBuilder f("CoreML8");
  const std::vector<uint8_t> nibbles = {1, 15, 7, 8, 2, 2, 3, 3};  // int4: 1 -1 7 -8 2 2 3 3
  const std::vector<double> scales = {0.5, 2, 1, 0.25};
  const std::vector<double> offsets = {1, 0, 0, 1};
  const std::string w = f.Constexpr(
      "constexpr_blockwise_shift_scale", "w",
      {{"data", {PackedConstant(DType::kI4, {2, 4, 1, 1}, PackBits(DType::kI4, nibbles))}},
       {"scale", {NumbersConstant(DType::kF16, {2, 2, 1, 1}, scales)}},
       {"offset", {NumbersConstant(DType::kF16, {2, 2, 1, 1}, offsets)}}});
  EXPECT_EQ(DecodedWeight(&f, w, nullptr), (std::vector<float>{0, -1, 14, -16, 2, 2, 0.5F, 0.5F}));
}

TEST(Interpreter, Constexpr_LookupTables_EveryWidth) {
  for (const DType dtype :
       {DType::kU1, DType::kU2, DType::kU3, DType::kU4, DType::kU6, DType::kU8}) {
    FunctionBuilder f("CoreML8");
    const int entries = 1 << Traits(dtype).bits;
    std::vector<uint8_t> codes(8);
    for (size_t i = 0; i < 8; ++i)
      codes[i] = static_cast<uint8_t>(i * 3 % static_cast<size_t>(entries));
    std::vector<double> table;
    for (int i = 0; i < 2 * entries; ++i) table.push_back(i * 0.5);
    const std::string w =
        f.Constexpr("constexpr_lut_to_dense", "w",
                    {{"indices", {PackedConstant(dtype, {2, 4, 1, 1}, PackBits(dtype, codes))}},
                     {"lut", {NumbersConstant(DType::kF16, {2, 1, 1, 1, entries, 1}, table)}}});
    const std::vector<float> found = DecodedWeight(&f, w, nullptr);
    for (size_t i = 0; i < 8; ++i) {
      EXPECT_EQ(found[i],
                static_cast<float>(codes[i] + (i / 4) * static_cast<size_t>(entries)) * 0.5F)
          << NameOf(dtype) << " " << i;
    }
  }
}

TEST(Interpreter, Constexpr_OldForms) {
  FunctionBuilder f("CoreML8");
  Operation op;
  const std::vector<std::byte> q = {std::byte{1}, std::byte{255}, std::byte{3}, std::byte{4}};
  const std::vector<double> scale = {0.5, 2};
  const std::vector<double> zero = {1};
  // Attribute forms are read, not built: assemble the function by hand.
  Function function;
  function.opset = "CoreML8";
  function.inputs.push_back({"x", {TensorType{DType::kF16, {1, 2, 1, 1}}, false}});
  op.type = "constexpr_affine_dequantize";
  op.attributes["name"] = StringConstant("w");
  op.attributes["quantized_data"] = PackedConstant(DType::kI8, {2, 2, 1, 1}, q);
  op.attributes["scale"] = NumbersConstant(DType::kF16, {2}, scale);
  op.attributes["zero_point"] = NumbersConstant(DType::kI8, {}, zero);
  op.attributes["axis"] = IntConstant(0);
  op.outputs.push_back({"w", {TensorType{DType::kF16, {2, 2, 1, 1}}, false}});
  Operation conv;
  conv.type = "conv";
  conv.attributes["name"] = StringConstant("y");
  conv.inputs["x"] = {std::string("x")};
  conv.inputs["weight"] = {std::string("w")};
  conv.outputs.push_back({"y", {TensorType{DType::kF16, {1, 2, 1, 1}}, false}});
  function.specializations["CoreML8"].operations = {op, conv};
  function.specializations["CoreML8"].outputs = {"y"};
  auto interpreter = Interpreter::Create(function, nullptr, {});
  ASSERT_TRUE(interpreter.has_value()) << interpreter.error().message;
  TensorMap states;
  const std::vector<float> x = {1, 10};
  const auto out = interpreter->Run({{"x", MakeTensor(DType::kF16, {1, 2, 1, 1}, x)}}, &states);
  ASSERT_TRUE(out.has_value()) << out.error().message;
  EXPECT_EQ(Floats(out->at("y")), (std::vector<float>{0 - 10, 4 + 60}));
}

TEST(Interpreter, Fp16_RoundsEachOp_AndF32DoesNot) {
  FunctionBuilder f("CoreML8");
  const std::string x = f.Input("x", DType::kF16, {1});
  const std::string sum = f.Op("add", "sum", {{"x", {x}}, {"y", {HalfConstant(1.0F)}}});
  f.Output(f.Op("sub", "back", {{"x", {sum}}, {"y", {HalfConstant(1.0F)}}}));
  const auto function = f.Finish();
  TensorMap states;
  const std::vector<float> tiny = {0x1p-12F};
  const TensorMap inputs = {{"x", MakeTensor(DType::kF16, {1}, tiny)}};
  auto half = Interpreter::Create(*function, nullptr, {});
  EXPECT_EQ(Floats(half->Run(inputs, &states)->at("back"))[0], 0.0F);
  auto full = Interpreter::Create(*function, nullptr, {.precision = Precision::kF32});
  EXPECT_EQ(Floats(full->Run(inputs, &states)->at("back"))[0], 0x1p-12F);
}

TEST(Interpreter, States_KeepTheirValues) {
  FunctionBuilder f("CoreML8");
  const std::string s = f.State("count", DType::kF16, {2});
  const std::string old = f.Op("read_state", "old", {{"input", {s}}});
  const std::string next = f.Op("add", "next", {{"x", {old}}, {"y", {HalfConstant(1.0F)}}});
  f.Op("write_state", "next_write_state", {{"input", {s}}, {"data", {next}}});
  f.Output(next);
  const auto function = f.Finish();
  ASSERT_TRUE(function.has_value()) << function.error().message;
  auto interpreter = Interpreter::Create(*function, nullptr, {});
  TensorMap states = interpreter->NewStates();
  TensorMap others = interpreter->NewStates();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(interpreter->Run({}, &states).has_value());
  EXPECT_EQ(Floats(states.at("count")), (std::vector<float>{3, 3}));
  EXPECT_EQ(Floats(others.at("count")), (std::vector<float>{0, 0}));
}

TEST(Interpreter, FlexibleAxis_AndRunTimeBounds) {
  FunctionBuilder f("CoreML8");
  const std::string x = f.Input("x", DType::kF32, {kUnknownDim});
  const std::string begin = f.Input("begin", DType::kI32, {1});
  const std::string end = f.Input("end", DType::kI32, {1});
  const std::string doubled = f.Op("add", "doubled", {{"x", {x}}, {"y", {x}}});
  const std::string part =
      f.Op("slice_by_index", "part", {{"x", {doubled}}, {"begin", {begin}}, {"end", {end}}});
  f.Output(f.Op("relu", "y", {{"x", {part}}}));
  const auto function = f.Finish();
  ASSERT_TRUE(function.has_value()) << function.error().message;
  auto interpreter = Interpreter::Create(*function, nullptr, {});
  TensorMap states;
  for (const int32_t length : {2, 3, 2}) {
    const std::vector<int32_t> first = {1};
    const std::vector<int32_t> last = {length};
    std::vector<float> values = {1, 2, -3};
    values.resize(static_cast<size_t>(length));
    const auto out = interpreter->Run({{"x", F32({length}, values)},
                                       {"begin", MakeIntTensor(DType::kI32, {1}, first)},
                                       {"end", MakeIntTensor(DType::kI32, {1}, last)}},
                                      &states);
    ASSERT_TRUE(out.has_value()) << out.error().message;
    EXPECT_EQ(Floats(out->at("y")),
              length == 2 ? (std::vector<float>{4}) : (std::vector<float>{4, 0}));
  }
}

TEST(Interpreter, WrongInputs_AreNamed) {
  FunctionBuilder f("CoreML8");
  const std::string x = f.Input("x", DType::kF16, {2});
  f.Output(f.Op("relu", "y", {{"x", {x}}}));
  const auto function = f.Finish();
  auto interpreter = Interpreter::Create(*function, nullptr, {});
  TensorMap states;
  EXPECT_EQ(interpreter->Run({}, &states).error().message, "input 'x' is missing");
  const std::vector<float> three = {1, 2, 3};
  EXPECT_EQ(interpreter->Run({{"x", MakeTensor(DType::kF16, {3}, three)}}, &states).error().message,
            "input 'x': expected fp16[2], found fp16[3]");
}

TEST(RoundToHalf, EveryBitPattern_MatchesTheScalarConversion) {
  std::vector<float> values;
  for (uint32_t i = 0; i < 0x10000; ++i) {
    // Patterns all over binary32, every fp16 value, and the ties between neighbours.
    const float half = ToFloat(F16{static_cast<uint16_t>(i)});
    for (const float v : {std::bit_cast<float>(i * 65537U + 12345U), half,
                          std::bit_cast<float>(std::bit_cast<uint32_t>(half) + 0x1000U)}) {
      if (!std::isnan(v)) values.push_back(v);
    }
  }
  std::vector<float> rounded = values;
  RoundToHalf(rounded);
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(std::bit_cast<uint32_t>(rounded[i]),
              std::bit_cast<uint32_t>(ToFloat(ToF16(values[i]))))
        << values[i];
  }
  std::vector<float> nan = {NAN};
  RoundToHalf(nan);
  EXPECT_TRUE(std::isnan(nan[0]));
}

}  // namespace
}  // namespace headway::mil

#include "device/coreml/run/interpreter.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "device/coreml/run/kernel.h"
#include "device/coreml/run/ops_fixture.h"

namespace headway::mil {
namespace {

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

// A clip hides the infinity before it from the output; the interpreter does not.
TEST(Interpreter, FirstNotFinite_NamesTheOp) {
  FunctionBuilder f("CoreML8");
  const std::string x = f.Input("x", DType::kF16, {2});
  const std::string far = f.Op("mul", "far", {{"x", {x}}, {"y", {HalfConstant(32768.0F)}}});
  f.Output(f.Op("clip", "near",
                {{"x", {far}}, {"alpha", {HalfConstant(-1)}}, {"beta", {HalfConstant(1)}}}));
  const auto function = f.Finish();
  ASSERT_TRUE(function.has_value()) << function.error().message;
  auto interpreter = Interpreter::Create(*function, nullptr, {});
  ASSERT_TRUE(interpreter.has_value());
  TensorMap states;
  const auto run = [&](float value) {
    const auto out = interpreter->Run(
        {{"x", MakeTensor(DType::kF16, {2}, std::vector<float>{1, value})}}, &states);
    ASSERT_TRUE(out.has_value());
    EXPECT_EQ(out->at("near").Floats()[0], 1.0F);
  };
  run(1.5F);
  EXPECT_EQ(interpreter->FirstNotFinite(), "");
  run(-2.5F);
  EXPECT_EQ(interpreter->FirstNotFinite(), "op 'mul' (name 'far')");
  run(1.0F);
  EXPECT_EQ(interpreter->FirstNotFinite(), "op 'mul' (name 'far')");
}

}  // namespace
}  // namespace headway::mil

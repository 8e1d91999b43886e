#include "device/coreml/ir/verify.h"

#include <gtest/gtest.h>

#include "device/coreml/ir/builder.h"
#include "device/coreml/ir/printer.h"

namespace headway::mil {
namespace {

// x fp16[1, 4, 2, 1] -> y = x * 2, z = reduce_mean(y, axis 1)
Function SmallFunction() {
  FunctionBuilder f("CoreML8");
  const std::string x = f.Input("x", DType::kF16, {1, 4, 2, 1});
  const std::string y = f.Op("mul", "y", {{"x", {x}}, {"y", {HalfConstant(2.0F)}}});
  const std::vector<int64_t> axes = {1};
  const std::string z =
      f.Op("reduce_mean", "z",
           {{"x", {y}}, {"axes", {IntsConstant(axes)}}, {"keep_dims", {BoolConstant(true)}}});
  f.Output(z);
  auto function = f.Finish();
  EXPECT_TRUE(function.has_value()) << function.error().message;
  return *std::move(function);
}

Operation& OpNamed(Function* function, const std::string& name) {
  for (Operation& op : function->Body()->operations) {
    if (op.Name() == name) return op;
  }
  ADD_FAILURE() << "no op " << name;
  return function->Body()->operations.front();
}

void ExpectError(const Function& function, const std::string& part) {
  const auto verified = VerifyFunction(function, nullptr);
  ASSERT_FALSE(verified.has_value()) << "expected an error with: " << part;
  EXPECT_NE(verified.error().message.find(part), std::string::npos) << verified.error().message;
}

TEST(Verify, BuiltFunction_Passes_WithNamedConstants) {
  const Function function = SmallFunction();
  EXPECT_TRUE(VerifyFunction(function, nullptr).has_value());
  EXPECT_EQ(PrintFunction("main", function),
            "func main<CoreML8>(%x: fp16[1, 4, 2, 1]) {\n"
            "  %y: fp16[1, 4, 2, 1] = mul(x=%x, y=2)  // y\n"
            "  %z: fp16[1, 1, 2, 1] = reduce_mean(axes=[1], keep_dims=true, x=%y)  // z\n"
            "  return %z\n}\n");
  EXPECT_EQ(function.Body()->operations[0].Name(), "y_y_0");
}

TEST(Verify, UndefinedName_IsNamed) {
  Function function = SmallFunction();
  OpNamed(&function, "y").inputs["x"] = {std::string("nowhere")};
  ExpectError(function, "parameter 'x': value 'nowhere' is not defined");
}

TEST(Verify, UseBeforeDefinition_SaysCycle) {
  Function function = SmallFunction();
  OpNamed(&function, "y").inputs["x"] = {std::string("z")};
  ExpectError(function, "used before its definition");
}

TEST(Verify, NameDefinedTwice_Rejected) {
  Function function = SmallFunction();
  OpNamed(&function, "z").outputs[0].name = "y";
  ExpectError(function, "output 'y' is defined twice");
}

TEST(Verify, UnknownOp_Rejected) {
  Function function = SmallFunction();
  OpNamed(&function, "y").type = "conv_transpose_9";
  ExpectError(function, "op of the table");
}

TEST(Verify, MissingParameter_Named) {
  Function function = SmallFunction();
  OpNamed(&function, "y").inputs.erase("y");
  ExpectError(function, "parameter 'y' is missing");
}

TEST(Verify, UnknownParameter_Named) {
  Function function = SmallFunction();
  OpNamed(&function, "y").inputs["z"] = {std::string("x")};
  ExpectError(function, "parameter 'z' is unknown");
}

TEST(Verify, ComputedWhereConstantNeeded_Rejected) {
  FunctionBuilder f("CoreML8");
  const std::string x = f.Input("x", DType::kF16, {4});
  const std::string axes = f.Input("axes", DType::kI32, {1});
  f.Output(f.Op("reduce_sum", "y", {{"x", {x}}, {"axes", {axes}}}));
  const auto function = f.Finish();
  ASSERT_FALSE(function.has_value());
  EXPECT_NE(function.error().message.find("expected a constant, found the computed value 'axes'"),
            std::string::npos)
      << function.error().message;
}

TEST(Verify, WrongElementType_SaysWhichAreAllowed) {
  Function function = SmallFunction();
  OpNamed(&function, "y_y_0").attributes["val"] = IntConstant(2);
  OpNamed(&function, "y_y_0").outputs[0].type = {TensorType{DType::kI32, {}}, false};
  ExpectError(function, "expected x and y of one element type, found fp16 and int32");
}

TEST(Verify, DeclaredShapeDisagrees_Rejected) {
  Function function = SmallFunction();
  OpNamed(&function, "z").outputs[0].type.tensor.dims = {1, 4, 2, 1};
  ExpectError(function, "output 'z': expected type fp16[1, 1, 2, 1], found fp16[1, 4, 2, 1]");
}

TEST(Verify, DeclaredUnknown_IsCompatible) {
  Function function = SmallFunction();
  OpNamed(&function, "z").outputs[0].type.tensor.dims = {1, 1, kUnknownDim, 1};
  EXPECT_TRUE(VerifyFunction(function, nullptr).has_value());
}

TEST(Verify, ConstantWithWrongByteCount_Rejected) {
  Function function = SmallFunction();
  OpNamed(&function, "y_y_0").attributes["val"].value = std::vector<std::byte>(3);
  ExpectError(function, "expected 2 bytes, found 3");
}

TEST(Verify, MissingOpName_Rejected) {
  Function function = SmallFunction();
  OpNamed(&function, "y").attributes.erase("name");
  ExpectError(function, "attribute 'name'");
}

TEST(Verify, StatesNeedCoreML8) {
  FunctionBuilder f("CoreML7");
  const std::string state = f.State("s", DType::kF16, {4});
  f.Output(f.Op("read_state", "v", {{"input", {state}}}));
  const auto function = f.Finish();
  ASSERT_FALSE(function.has_value());
  EXPECT_NE(function.error().message.find("expected opset CoreML8 or later, found CoreML7"),
            std::string::npos);
}

TEST(Verify, TensorWhereStateNeeded_Rejected) {
  FunctionBuilder f("CoreML8");
  const std::string x = f.Input("x", DType::kF16, {4});
  f.Output(f.Op("read_state", "v", {{"input", {x}}}));
  const auto function = f.Finish();
  ASSERT_FALSE(function.has_value());
  EXPECT_NE(function.error().message.find("expected a state, found 'x'"), std::string::npos);
}

// The cross-check of description and function.

Model SmallModel() {
  auto model = MakeModel(SmallFunction());
  EXPECT_TRUE(model.has_value()) << model.error().message;
  return *std::move(model);
}

void ExpectModelError(const Model& model, const std::string& part) {
  const auto verified = VerifyModel(model, nullptr);
  ASSERT_FALSE(verified.has_value()) << "expected an error with: " << part;
  EXPECT_NE(verified.error().message.find(part), std::string::npos) << verified.error().message;
}

TEST(VerifyModel, DescriptionThatAgrees_Passes) {
  EXPECT_TRUE(VerifyModel(SmallModel(), nullptr).has_value());
}

TEST(VerifyModel, InputMissing_Named) {
  Model model = SmallModel();
  model.functions[0].inputs.clear();
  ExpectModelError(model, "the function's input 'x' is missing");
}

TEST(VerifyModel, InputRenamed_Named) {
  Model model = SmallModel();
  model.functions[0].inputs[0].name = "hidden";
  ExpectModelError(model, "input 'hidden' is not in the function");
}

TEST(VerifyModel, ElementTypeDiffers_Rejected) {
  Model model = SmallModel();
  model.functions[0].inputs[0].dtype = DType::kF32;
  ExpectModelError(model, "described as fp32, the function has fp16");
}

TEST(VerifyModel, ShapeDiffers_Rejected) {
  Model model = SmallModel();
  model.functions[0].inputs[0].shape = {1, 4, 3, 1};
  ExpectModelError(model, "described as [1, 4, 3, 1], the function has [1, 4, 2, 1]");
}

TEST(VerifyModel, OutputMissing_Named) {
  Model model = SmallModel();
  model.functions[0].outputs.clear();
  ExpectModelError(model, "the function's output 'z' is missing");
}

TEST(VerifyModel, OpsetDisagreesWithSpecification_Rejected) {
  Model model = SmallModel();
  model.specification_version = 8;
  ExpectModelError(model, "expected opset CoreML7 with specification 8, found CoreML8");
}

TEST(VerifyModel, BoolOutput_CannotLeave) {
  FunctionBuilder f("CoreML8");
  const std::string x = f.Input("x", DType::kF16, {4});
  f.Output(f.Op("greater", "y", {{"x", {x}}, {"y", {HalfConstant(0.0F)}}}));
  auto function = f.Finish();
  ASSERT_TRUE(function.has_value());
  const auto model = MakeModel(*std::move(function));
  ASSERT_FALSE(model.has_value());
  EXPECT_NE(model.error().message.find("element type bool cannot enter or leave"),
            std::string::npos)
      << model.error().message;
}

TEST(VerifyModel, FlexibleAxis_NeedsARange) {
  FunctionBuilder f("CoreML8");
  const std::string x = f.Input("x", DType::kF16, {1, 4, kUnknownDim, 1});
  f.Output(f.Op("mul", "y", {{"x", {x}}, {"y", {HalfConstant(2.0F)}}}));
  auto function = f.Finish();
  ASSERT_TRUE(function.has_value());
  auto model = MakeModel(*std::move(function), {1, 4});
  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_EQ(model->functions[0].inputs[0].ranges.size(), 4U);
  EXPECT_TRUE(model->functions[0].outputs[0].shape.empty());
  model->functions[0].inputs[0].ranges[2] = {1, 1};
  ExpectModelError(*model, "axis 2: described as fixed, the function has [1, 4, ?, 1]");
}

}  // namespace
}  // namespace headway::mil

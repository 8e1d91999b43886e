#include "device/coreml/ir/op_table.h"

#include <gtest/gtest.h>

#include <set>

#include "device/coreml/ir/builder.h"

namespace headway::mil {
namespace {

using Params = FunctionBuilder::Params;

Constant Ints(std::initializer_list<int64_t> values) {
  return IntsConstant(std::vector<int64_t>(values));
}

TEST(OpTable, Rows_AreUniqueByNameAndForm_AndParamsByName) {
  std::set<std::pair<std::string_view, ParamForm>> rows;
  for (const OpSpec& spec : OpTable()) {
    EXPECT_TRUE(rows.emplace(spec.name, spec.form).second) << spec.name;
    std::set<std::string_view> params;
    for (const ParamSpec& param : spec.params)
      EXPECT_TRUE(params.insert(param.name).second) << spec.name;
    EXPECT_NE(spec.infer, nullptr) << spec.name;
  }
  EXPECT_GE(rows.size(), 70U);
}

// One op on x (and y), its parameters, and the shape that must come out ("" = an error).
struct ShapeCase {
  const char* op;
  Dims x;
  Dims y;  // empty: the op has no second tensor
  Params params;
  const char* expected;
};

std::vector<ShapeCase> ShapeCases() {
  return {
      {"add", {1, 4, 1}, {3, 1, 5}, {}, "fp16[3, 4, 5]"},
      {"add", {2}, {3}, {}, ""},
      {"add", {kUnknownDim, 4}, {3, 1}, {}, "fp16[3, 4]"},
      {"greater", {2}, {2}, {}, "bool[2]"},
      {"reduce_max", {2, 3, 4}, {}, {{"axes", {Ints({-1})}}}, "fp16[2, 3]"},
      {"reduce_max", {2, 3, 4}, {}, {{"axes", {Ints({3})}}}, ""},
      {"reduce_argmax",
       {2, 3},
       {},
       {{"axis", {IntConstant(0)}}, {"output_dtype", {StringConstant("uint16")}}},
       "uint16[3]"},
      {"topk", {2, 9}, {}, {{"k", {IntConstant(3)}}}, "fp16[2, 3]"},
      {"topk", {2, 9}, {}, {{"k", {IntConstant(10)}}}, ""},
      {"reshape", {2, 12}, {}, {{"shape", {Ints({4, -1})}}}, "fp16[4, 6]"},
      {"reshape", {2, 12}, {}, {{"shape", {Ints({0, 3, 4})}}}, "fp16[2, 3, 4]"},
      {"reshape", {2, 12}, {}, {{"shape", {Ints({5, -1})}}}, ""},
      {"reshape", {2, kUnknownDim}, {}, {{"shape", {Ints({4, -1})}}}, "fp16[4, ?]"},
      {"transpose", {2, 3, 4}, {}, {{"perm", {Ints({2, 0, 1})}}}, "fp16[4, 2, 3]"},
      {"transpose", {2, 3, 4}, {}, {{"perm", {Ints({0, 0, 1})}}}, ""},
      {"expand_dims", {2, 3}, {}, {{"axes", {Ints({0, -1})}}}, "fp16[1, 2, 3, 1]"},
      {"squeeze", {1, 2, 1}, {}, {{"axes", {Ints({2})}}}, "fp16[1, 2]"},
      {"squeeze", {1, 2, 1}, {}, {{"axes", {Ints({1})}}}, ""},
      {"tile", {2, 3}, {}, {{"reps", {Ints({1, 2})}}}, "fp16[2, 6]"},
      {"slice_by_index",
       {4, 8},
       {},
       {{"begin", {Ints({1, -4})}}, {"end", {Ints({3, 8})}}},
       "fp16[2, 4]"},
      {"slice_by_index",
       {4, 8},
       {},
       {{"begin", {Ints({1, 0})}}, {"end", {Ints({0, 8})}}, {"stride", {Ints({1, 3})}}},
       "fp16[0, 3]"},
      {"slice_by_size",
       {4, 8},
       {},
       {{"begin", {Ints({1, 2})}}, {"size", {Ints({2, -1})}}},
       "fp16[2, 6]"},
      {"slice_by_size", {4, 8}, {}, {{"begin", {Ints({1, 2})}}, {"size", {Ints({4, 1})}}}, ""},
      {"matmul", {2, 3, 4}, {1, 4, 5}, {}, "fp16[2, 3, 5]"},
      {"matmul", {2, 3, 4}, {5, 4}, {{"transpose_y", {BoolConstant(true)}}}, "fp16[2, 3, 5]"},
      {"matmul", {2, 3, 4}, {5, 4}, {}, ""},
      {"softmax", {2, 3}, {}, {{"axis", {IntConstant(-3)}}}, ""},
      {"cast", {2, 3}, {}, {{"dtype", {StringConstant("int32")}}}, "int32[2, 3]"},
      {"cast", {2, 3}, {}, {{"dtype", {StringConstant("int5")}}}, ""},
      {"max_pool",
       {1, 2, 8, 8},
       {},
       {{"kernel_sizes", {Ints({2, 3})}},
        {"strides", {Ints({2, 1})}},
        {"pad_type", {StringConstant("same")}}},
       "fp16[1, 2, 4, 8]"},
      {"layer_norm", {2, 3}, {}, {{"axes", {Ints({-1})}}}, "fp16[2, 3]"},
  };
}

TEST(OpTable, InferRules_GiveTheShape) {
  int index = 0;
  for (const ShapeCase& c : ShapeCases()) {
    FunctionBuilder f("CoreML8");
    Params params = c.params;
    params.push_back({"x", {f.Input("x", DType::kF16, c.x)}});
    if (!c.y.empty()) params.push_back({"y", {f.Input("y", DType::kF16, c.y)}});
    const std::string out = f.Op(c.op, "out", params);
    f.Output(out);
    const std::string found = ToString(Type{f.TypeOf(out), false});
    const auto function = f.Finish();
    if (std::string_view(c.expected).empty()) {
      EXPECT_FALSE(function.has_value()) << "case " << index << " " << c.op;
    } else {
      ASSERT_TRUE(function.has_value())
          << "case " << index << " " << c.op << ": " << function.error().message;
      EXPECT_EQ(found, c.expected) << "case " << index << " " << c.op;
    }
    ++index;
  }
}

TEST(OpTable, Conv_InfersWindows) {
  FunctionBuilder f("CoreML8");
  const std::string x = f.Input("x", DType::kF16, {1, 6, 9, 7});
  const std::string w = f.Input("w", DType::kF16, {4, 3, 3, 1});
  const std::string y = f.Op("conv", "y",
                             {{"x", {x}},
                              {"weight", {w}},
                              {"groups", {IntConstant(2)}},
                              {"strides", {Ints({2, 1})}},
                              {"dilations", {Ints({2, 1})}},
                              {"pad_type", {StringConstant("custom")}},
                              {"pad", {Ints({1, 0, 0, 0})}}});
  EXPECT_EQ(f.TypeOf(y).dims, (Dims{1, 4, 3, 7}));
}

TEST(OpTable, LinearBias_HasXsElementType) {
  const std::vector<double> ones(4, 1.0);
  for (const DType bias : {DType::kF16, DType::kI32}) {
    FunctionBuilder f("CoreML8");
    const std::string x = f.Input("x", DType::kF16, {2});
    f.Output(f.Op("linear", "y",
                  {{"x", {x}},
                   {"weight", {NumbersConstant(DType::kF16, {2, 2}, ones)}},
                   {"bias", {NumbersConstant(bias, {2}, {ones.data(), 2})}}}));
    EXPECT_EQ(f.Finish().has_value(), bias == DType::kF16);
  }
}

TEST(OpTable, ConstexprShapes_AreChecked) {
  FunctionBuilder f("CoreML8");
  const Constant data = PackedConstant(DType::kI8, {4, 6}, std::vector<std::byte>(24));
  const std::vector<double> ones(4, 1.0);
  const Constant scale = NumbersConstant(DType::kF16, {4, 1}, ones);
  const std::string w =
      f.Constexpr("constexpr_blockwise_shift_scale", "w", {{"data", {data}}, {"scale", {scale}}});
  EXPECT_EQ(ToString(Type{f.TypeOf(w), false}), "fp16[4, 6]");
  const Constant codes = PackedConstant(DType::kU4, {4, 6}, std::vector<std::byte>(12));
  const std::vector<double> entries(32, 0.5);
  const Constant lut = NumbersConstant(DType::kF16, {2, 1, 16, 1}, entries);
  const std::string v =
      f.Constexpr("constexpr_lut_to_dense", "v", {{"indices", {codes}}, {"lut", {lut}}});
  EXPECT_EQ(ToString(Type{f.TypeOf(v), false}), "fp16[4, 6]");
  f.Output(f.Op("add", "sum", {{"x", {w}}, {"y", {v}}}));
  EXPECT_TRUE(f.Finish().has_value());
}

}  // namespace
}  // namespace headway::mil

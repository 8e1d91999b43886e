#include "device/coreml/run/constexpr_decoders.h"

#include "device/coreml/ir/packing.h"
#include "device/coreml/run/ops_fixture.h"

namespace headway::mil {
namespace {

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

// conv(x, weight) of a column x, where the weight is an op whose parameters are attributes. These
// forms are read, not built: the function is assembled by hand.
std::vector<float> AttributeForm(const std::string& type, const TensorType& weight,
                                 const std::map<std::string, Constant>& attributes,
                                 const std::vector<float>& x) {
  const Dims x_dims = {1, weight.dims[1], 1, 1};
  Operation op;
  op.type = type;
  op.attributes = attributes;
  op.attributes["name"] = StringConstant("w");
  op.outputs.push_back({"w", {weight, false}});
  Operation conv;
  conv.type = "conv";
  conv.attributes["name"] = StringConstant("y");
  conv.inputs["x"] = {std::string("x")};
  conv.inputs["weight"] = {std::string("w")};
  conv.outputs.push_back({"y", {TensorType{weight.dtype, {1, weight.dims[0], 1, 1}}, false}});
  Function function;
  function.opset = "CoreML8";
  function.inputs.push_back({"x", {TensorType{weight.dtype, x_dims}, false}});
  function.specializations["CoreML8"].operations = {op, conv};
  function.specializations["CoreML8"].outputs = {"y"};
  auto interpreter = Interpreter::Create(function, nullptr, {});
  EXPECT_TRUE(interpreter.has_value()) << interpreter.error().message;
  if (!interpreter) return {};
  TensorMap states;
  const auto out = interpreter->Run({{"x", MakeTensor(weight.dtype, x_dims, x)}}, &states);
  EXPECT_TRUE(out.has_value()) << out.error().message;
  return out ? Floats(out->at("y")) : std::vector<float>();
}

TEST(Constexpr, BlockwiseAndOffset) {
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

TEST(Constexpr, LookupTables_EveryWidth) {
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

// Two tables, of the rows of the indices [2, 2, 1, 1]; table g holds vectors
// (10 g + 2 i, 10 g + 2 i + 1).
TEST(Constexpr, LookupTables_OfVectors) {
  const std::vector<uint8_t> codes = {0, 1, 1, 0};
  const std::vector<double> table = {0, 1, 2, 3, 10, 11, 12, 13};
  const auto decoded = [&](int32_t axis) {
    FunctionBuilder f("CoreML8");
    const std::string w = f.Constexpr(
        "constexpr_lut_to_dense", "w",
        {{"indices", {PackedConstant(DType::kU1, {2, 2, 1, 1}, PackBits(DType::kU1, codes))}},
         {"lut", {NumbersConstant(DType::kF16, {2, 1, 1, 1, 2, 2}, table)}},
         {"vector_axis", {IntConstant(axis)}}});
    EXPECT_EQ(f.TypeOf(w).dims, axis == 0 ? (Dims{4, 2, 1, 1}) : (Dims{2, 4, 1, 1}));
    return DecodedWeight(&f, w, nullptr);
  };
  EXPECT_EQ(decoded(0), (std::vector<float>{0, 2, 1, 3, 12, 10, 13, 11}));
  EXPECT_EQ(decoded(-3), (std::vector<float>{0, 1, 2, 3, 12, 13, 10, 11}));
}

TEST(Constexpr, SparseAndCast) {
  FunctionBuilder f("CoreML8");
  const std::vector<uint8_t> mask = {0, 1, 1, 0};
  const std::vector<double> values = {5, -2};
  const std::string w = f.Constexpr(
      "constexpr_sparse_to_dense", "w",
      {{"nonzero_data", {NumbersConstant(DType::kF16, {2}, values)}},
       {"mask", {PackedConstant(DType::kU1, {2, 2, 1, 1}, PackBits(DType::kU1, mask))}}});
  EXPECT_EQ(DecodedWeight(&f, w, nullptr), (std::vector<float>{0, 5, -2, 0}));
  const std::vector<double> halves = {0.5, 65504};
  const auto cast =
      AttributeForm("constexpr_cast", {DType::kF32, {2, 1, 1, 1}},
                    {{"source_val", NumbersConstant(DType::kF16, {2, 1, 1, 1}, halves)},
                     {"output_dtype", StringConstant("fp32")}},
                    {2});
  EXPECT_EQ(cast, (std::vector<float>{1, 131008}));
}

TEST(Constexpr, OldForms) {
  const std::vector<std::byte> q = {std::byte{1}, std::byte{255}, std::byte{3}, std::byte{4}};
  const std::vector<double> scale = {0.5, 2};
  const std::vector<double> zero = {1};
  EXPECT_EQ(AttributeForm("constexpr_affine_dequantize", {DType::kF16, {2, 2, 1, 1}},
                          {{"quantized_data", PackedConstant(DType::kI8, {2, 2, 1, 1}, q)},
                           {"scale", NumbersConstant(DType::kF16, {2}, scale)},
                           {"zero_point", NumbersConstant(DType::kI8, {}, zero)},
                           {"axis", IntConstant(0)}},
                          {1, 10}),
            (std::vector<float>{0 - 10, 4 + 60}));
  const std::vector<std::byte> packed = {std::byte{0b11'01'00'10}};  // 2, 0, 1, 3
  const std::vector<double> table = {1, -1, 4, 0.5};
  const std::vector<double> shape = {2, 2, 1, 1};
  EXPECT_EQ(AttributeForm("constexpr_lut_to_dense", {DType::kF16, {2, 2, 1, 1}},
                          {{"indices", PackedConstant(DType::kU8, {1}, packed)},
                           {"lut", NumbersConstant(DType::kF16, {4}, table)},
                           {"shape", NumbersConstant(DType::kU32, {4}, shape)}},
                          {1, 10}),
            (std::vector<float>{4 + 10, -1 + 5}));
}

}  // namespace
}  // namespace headway::mil

// Products, pools and attention against numbers computed by hand.

#include "device/coreml/run/ops_fixture.h"

namespace headway::mil {
namespace {

TEST(Kernels, MatMul_TransposesAndBroadcastsBatches) {
  const Tensor x = F32({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(RunOp("matmul", {{"x", x}, {"y", F32({3, 1}, {1, 0, -1})}}, {}),
            (std::vector<float>{-2, -2}));
  EXPECT_EQ(RunOp("matmul", {{"x", x}, {"y", F32({1, 3}, {1, 0, -1})}},
                  {{"transpose_y", {BoolConstant(true)}}}),
            (std::vector<float>{-2, -2}));
  EXPECT_EQ(RunOp("matmul", {{"x", x}, {"y", F32({2, 1}, {1, -1})}},
                  {{"transpose_x", {BoolConstant(true)}}}),
            (std::vector<float>{-3, -3, -3}));
  // x [2, 1, 1, 2] with y [1, 2, 2, 1]
  EXPECT_EQ(
      RunOp("matmul",
            {{"x", F32({2, 1, 1, 2}, {1, 2, 3, 4})}, {"y", F32({1, 2, 2, 1}, {1, 0, 0, 1})}}, {}),
      (std::vector<float>{1, 2, 3, 4}));
}

TEST(Kernels, Conv_PointwiseAndWindows) {
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
}

TEST(Kernels, Linear_FloatsAndIntegers) {
  const std::vector<double> weight = {1, 0, -1, 2, 2, 2};  // [2, 3]
  const std::vector<double> bias = {0.5, 0};
  EXPECT_EQ(RunOp("linear", {{"x", F32({2, 3}, {1, 2, 3, 4, 5, 6})}},
                  {{"weight", {NumbersConstant(DType::kF32, {2, 3}, weight)}},
                   {"bias", {NumbersConstant(DType::kF32, {2}, bias)}}}),
            (std::vector<float>{-1.5F, 12, -1.5F, 30}));
  const std::vector<double> whole = {7, -2};
  EXPECT_EQ(RunOp("linear", {{"x", I32({3}, {1 << 24, 1, -1})}},
                  {{"weight", {NumbersConstant(DType::kI32, {2, 3}, weight)}},
                   {"bias", {NumbersConstant(DType::kI32, {2}, whole)}}}),
            (std::vector<float>{16777224, 33554430}));  // 2^25 - 2: sums in binary32 would lose it
}

TEST(Kernels, MaxPool_LastWindowInCeilMode) {
  const auto pool = [](bool ceil, Constant pad, const char* pad_type) {
    return RunOp("max_pool", {{"x", F32({1, 1, 5}, {1, 5, 2, 3, 4})}},
                 {{"kernel_sizes", {Ints({2})}},
                  {"strides", {Ints({2})}},
                  {"pad_type", {StringConstant(pad_type)}},
                  {"pad", {std::move(pad)}},
                  {"ceil_mode", {BoolConstant(ceil)}}});
  };
  EXPECT_EQ(pool(false, Ints({0, 0}), "valid"), (std::vector<float>{5, 3}));
  EXPECT_EQ(pool(true, Ints({0, 0}), "valid"), (std::vector<float>{5, 3, 4}));
  // Padded to 7: windows at -1, 1, 3; one at 5 would begin in the padding.
  EXPECT_EQ(pool(true, Ints({1, 1}), "custom"), (std::vector<float>{1, 5, 4}));
}

TEST(Kernels, Attention_FollowsTheMask) {
  // One query that may attend to the second key only.
  EXPECT_EQ(RunOp("scaled_dot_product_attention",
                  {{"query", F32({1, 1, 2}, {1, 1})},
                   {"key", F32({1, 2, 2}, {1, 1, 2, 2})},
                   {"value", F32({1, 2, 1}, {7, 9})},
                   {"attn_mask", MakeIntTensor(DType::kBool, {1, 2}, std::vector<int32_t>{0, 1})}},
                  {}),
            (std::vector<float>{9}));
}

}  // namespace
}  // namespace headway::mil

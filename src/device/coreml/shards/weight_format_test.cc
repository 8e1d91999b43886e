#include "device/coreml/shards/weight_format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "device/coreml/run/interpreter.h"
#include "device/coreml/shards/layers_fixture.h"
#include "device/coreml/shards/row_encoders.h"
#include "tensor/half.h"

namespace headway::mil {
namespace {

constexpr int64_t kFormatRows = 64;
constexpr int64_t kColumns = 96;

// Row 5 is zero; the others vary in size.
float Given(int64_t row, int64_t column) {
  if (row == 5) return 0.0F;
  return RandomAt(3, static_cast<uint64_t>(row * kColumns + column)) *
         (0.01F + 0.002F * static_cast<float>(row));
}

struct Emitted {
  MemoryBlobs blobs;
  WeightReport report;
  std::vector<float> weights;  // as the interpreter decodes them
};

Emitted EmitAndDecode(const WeightFormat& format, ThreadPool* pool) {
  Emitted result;
  FunctionBuilder f("CoreML8");
  std::vector<WeightReport> reports;
  const RowSource source = [](int64_t first, std::span<float> out) -> Result<void> {
    for (size_t i = 0; i < out.size(); ++i) {
      const int64_t index = first * kColumns + static_cast<int64_t>(i);
      out[i] = Given(index / kColumns, index % kColumns);
    }
    return {};
  };
  const auto name =
      EmitWeight({f, result.blobs, pool, &reports},
                 {.name = "w", .rows = kFormatRows, .columns = kColumns}, format, source);
  EXPECT_TRUE(name.has_value()) << name.error().message;
  const std::string x = f.Input("x", DType::kF16, {1, kColumns, kColumns, 1});
  f.Output(f.Op("conv", "y", {{"x", {x}}, {"weight", {*name}}}));
  const auto function = f.Finish();
  EXPECT_TRUE(function.has_value()) << function.error().message;
  std::vector<float> identity(static_cast<size_t>(kColumns * kColumns), 0.0F);
  for (int64_t i = 0; i < kColumns; ++i) identity[static_cast<size_t>(i * kColumns + i)] = 1.0F;
  auto interpreter = Interpreter::Create(*function, &result.blobs, {.keep_weight_bytes = 0});
  TensorMap states;
  const auto out = interpreter->Run(
      {{"x", MakeTensor(DType::kF16, {1, kColumns, kColumns, 1}, identity)}}, &states);
  EXPECT_TRUE(out.has_value()) << out.error().message;
  result.weights.assign(out->at("y").Floats().begin(), out->at("y").Floats().end());
  result.report = reports.front();
  return result;
}

TEST(WeightFormat, EveryFormat_DecodesToWhatTheReportSays) {
  ThreadPool pool(2);
  std::vector<std::pair<WeightFormat, double>> cases = {
      {{.kind = WeightKind::kF16}, 0.0003},
      {{.kind = WeightKind::kInt8PerChannel}, 0.005},
      {{.kind = WeightKind::kInt4Blockwise}, 0.09}};
  const std::pair<int, double> tables[] = {{1, 0.6},  {2, 0.35}, {3, 0.2},
                                           {4, 0.12}, {6, 0.04}, {8, 0.02}};
  for (const auto& [bits, bound] : tables)
    cases.push_back({{.kind = WeightKind::kLut, .lut_bits = bits}, bound});
  for (const auto& [format, bound] : cases) {
    const Emitted emitted = EmitAndDecode(format, &pool);
    double error = 0;
    double given = 0;
    for (int64_t i = 0; i < kFormatRows * kColumns; ++i) {
      const double value = static_cast<double>(Given(i / kColumns, i % kColumns));
      const double difference =
          static_cast<double>(emitted.weights[static_cast<size_t>(i)]) - value;
      error += difference * difference;
      given += value * value;
    }
    const double relative = std::sqrt(error / given);
    EXPECT_NEAR(relative, emitted.report.relative_rms_error, 1e-6) << NameOf(format);
    EXPECT_LE(relative, bound) << NameOf(format);
    for (int64_t c = 0; c < kColumns;
         ++c) {  // the row of zeros shares a table with others, else it stays zero
      const float zero = emitted.weights[static_cast<size_t>(5 * kColumns + c)];
      EXPECT_TRUE(format.kind == WeightKind::kLut ? std::isfinite(zero) : zero == 0.0F)
          << NameOf(format);
    }
  }
}

TEST(WeightFormat, ThreadsAndPieces_DoNotChangeTheResult) {
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    const Emitted with = EmitAndDecode({.kind = WeightKind::kLut}, &pool);
    const Emitted without = EmitAndDecode({.kind = WeightKind::kLut}, nullptr);
    EXPECT_EQ(with.weights, without.weights);
    EXPECT_EQ(with.report.relative_rms_error, without.report.relative_rms_error);
  }
}

TEST(WeightFormat, ExtentsThatDoNotFit_AreRejected) {
  FunctionBuilder f("CoreML8");
  MemoryBlobs blobs;
  const RowSource source = [](int64_t, std::span<float>) -> Result<void> { return {}; };
  const auto name =
      EmitWeight({f, blobs, nullptr, nullptr}, {.name = "w", .rows = 4, .columns = 33},
                 {.kind = WeightKind::kInt4Blockwise}, source);
  ASSERT_FALSE(name.has_value());
  EXPECT_EQ(name.error().message, "weight 'w': format int4-blockwise cannot hold [4, 33]");
}

TEST(WeightFormat, SourceErrors_ComeThrough) {
  FunctionBuilder f("CoreML8");
  MemoryBlobs blobs;
  const RowSource source = [](int64_t row, std::span<float>) -> Result<void> {
    if (row == 3) return Fail(ErrorCode::kCorrupt, "bad row");
    return {};
  };
  const auto name =
      EmitWeight({f, blobs, nullptr, nullptr}, {.name = "w", .rows = 4, .columns = 32}, {}, source);
  ASSERT_FALSE(name.has_value());
  EXPECT_EQ(name.error().message, "weight 'w': bad row");
}

TEST(RowEncoders, RowScale_NeverClips_NeverZero) {
  for (uint64_t i = 0; i < 2000; ++i) {
    const std::vector<float> row = {RandomAt(1, i) * std::exp2(-static_cast<float>(i % 20))};
    const float scale = RowScale(row, 127);
    EXPECT_GE(scale * 127.0F, std::abs(row[0]));
    EXPECT_EQ(scale, ToFloat(ToF16(scale)));
    EXPECT_GT(scale, 0.0F);
  }
  EXPECT_EQ(RowScale(std::vector<float>{0, 0}, 127), 1.0F);
}

}  // namespace
}  // namespace headway::mil

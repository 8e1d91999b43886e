#include "device/coreml/shards/screen_shard.h"

#include <gtest/gtest.h>

#include "device/coreml/shards/layers_fixture.h"

namespace headway::mil {
namespace {

constexpr int64_t kRows = 40;

uint8_t CodeAt(int64_t block, int64_t row, int64_t channel, size_t levels) {
  return static_cast<uint8_t>(
      static_cast<size_t>(block * 31 + row * 7 + channel * 3 + row * channel) % levels);
}
float ScaleAt(int64_t block, int64_t row) {
  return 0.25F + 0.0625F * static_cast<float>((row + block) % 5);
}

ScreenSource Source(int64_t block_channels, size_t levels) {
  return {.codes = [=](int64_t block, int64_t first, std::span<uint8_t> out) -> Result<void> {
            for (size_t i = 0; i < out.size(); ++i) {
              const auto at = static_cast<int64_t>(i);
              out[i] = CodeAt(block, first + at / block_channels, at % block_channels, levels);
            }
            return {};
          },
          .scales = [](int64_t block, std::span<float> out) -> Result<void> {
            for (size_t i = 0; i < out.size(); ++i)
              out[i] = ScaleAt(block, static_cast<int64_t>(i));
            return {};
          }};
}

TEST(ScreenShard, Estimates_MatchTheFormula) {
  for (const auto& levels :
       {std::vector<float>{-1, 1}, std::vector<float>{-1.5F, -0.5F, 0.5F, 1.5F},
        std::vector<float>{-2.15F, -1.34F, -0.76F, -0.25F, 0.25F, 0.76F, 1.34F, 2.15F}}) {
    for (const int64_t block : {16, 32, 64}) {
      ScreenShardSpec spec;
      spec.hidden_size = 64;
      spec.blocks.assign(static_cast<size_t>(64 / block), block);
      spec.vocab_end = kRows;
      spec.tokens = 4;
      spec.flexible = true;
      spec.levels = levels;
      MemoryBlobs blobs;
      const auto shard = BuildScreenShard(spec, Source(block, levels.size()), &blobs);
      ASSERT_TRUE(shard.has_value()) << shard.error().message;
      const Function& function = shard->model.program.functions.at("main");
      const int64_t B = 64 / block;
      EXPECT_EQ(CountOps(*function.Body()).num_compute, B == 1 ? 2 : 4 * B - 1);
      EXPECT_EQ(CountOps(*function.Body()).num_convs, B);
      auto interpreter = Interpreter::Create(function, &blobs, {});
      std::vector<float> x(64 * 2);
      for (size_t i = 0; i < x.size(); ++i) x[i] = RandomAt(5, i);
      RoundToHalf(x);
      TensorMap states;
      const auto out =
          interpreter->Run({{"rotated", MakeTensor(DType::kF16, {1, 64, 2, 1}, x)}}, &states);
      ASSERT_TRUE(out.has_value()) << out.error().message;
      for (int64_t v = 0; v < kRows; ++v) {
        for (int64_t t = 0; t < 2; ++t) {
          double expected = 0;
          for (int64_t c = 0; c < 64; ++c) {
            const double level =
                static_cast<double>(levels[CodeAt(c / block, v, c % block, levels.size())]);
            expected += static_cast<double>(ScaleAt(c / block, v)) * level *
                        static_cast<double>(x[static_cast<size_t>(c * 2 + t)]);
          }
          // Levels are fp16 (2^-11), each block rounds three times, sums up to about 16.
          EXPECT_NEAR(out->at("estimate").Floats()[static_cast<size_t>(v * 2 + t)], expected, 0.05);
        }
      }
    }
  }
}

TEST(ScreenShard, SaysWhichAccumulationItAssumes) {
  ScreenShardSpec spec;
  spec.hidden_size = 16;
  spec.blocks = {16};
  spec.vocab_end = kRows;
  spec.levels = {-1, 1};
  MemoryBlobs blobs;
  const auto shard = BuildScreenShard(spec, Source(16, 2), &blobs);
  ASSERT_TRUE(shard.has_value()) << shard.error().message;
  EXPECT_EQ(shard->model.metadata.user_defined.at(kScreenAccumulationKey), kScreenAccumulation);
}

TEST(ScreenShard, SpecsThatDoNotFit_AreRejected) {
  ScreenShardSpec spec;
  spec.hidden_size = 64;
  spec.blocks = {48};
  spec.vocab_end = kRows;
  spec.levels = {-1, 1};
  MemoryBlobs blobs;
  EXPECT_FALSE(BuildScreenShard(spec, Source(48, 2), &blobs).has_value());
  spec.blocks = {32, 32};
  spec.levels = {-1, 0, 1};
  EXPECT_FALSE(BuildScreenShard(spec, Source(32, 3), &blobs).has_value());
}

}  // namespace
}  // namespace headway::mil

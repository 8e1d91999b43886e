// Shards with damaged programs: loading works or is refused with the package's name, and what was
// loaded runs. Sizes and digests are not looked at here: nothing else stands between a file and the
// interpreter.

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "graph/builder.h"
#include "shard_fixture.h"

namespace headway::coreml {
namespace {

void WriteAll(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

class CoremlHostileTest : public CoremlShardTest {
 protected:
  std::vector<std::string> HeadPackage(HeadForm form, const StepWidth& width) {
    tensors_.Set("gain", Shape{16}, std::vector<float>(16, 1.0F));
    tensors_.Set("head", Shape{32, 16}, std::vector<float>(512, 0.5F));
    graph::Builder b;
    const graph::ValueId x = b.Input("x", 16);
    const graph::ValueId n =
        b.RmsNorm("norm", x,
                  b.AddWeight({.name = "gain", .type = DataType::kF32, .shape = Shape{16}}), 1e-5F);
    b.Output(
        b.Linear("logits", n,
                 b.AddWeight({.name = "head", .type = DataType::kF32, .shape = Shape{32, 16}})));
    return Emit(*b.Finish(), [this](const std::string& name) { return tensors_.View(name); }, {},
                form, {width});
  }

  // A step of three tokens, of whatever the shard is now.
  static void RunOnce(LoadedHeadShard* shard) {
    const ShardInterface& interface = shard->Interface();
    if (interface.input_channels > 4096 || interface.output_channels > 4096 ||
        interface.NumBlocks() > 4096 || interface.rotary_dim > 0) {
      return;
    }
    const std::vector<float> x(static_cast<size_t>(3 * interface.input_channels), 1.0F);
    std::vector<float> y(static_cast<size_t>(3 * interface.output_channels));
    std::vector<float> maxima(static_cast<size_t>(3 * interface.NumBlocks()));
    EXPECT_TRUE(shard
                    ->Run({.num_tokens = 3,
                           .input = x.data(),
                           .output = y.data(),
                           .output_stride = interface.output_channels,
                           .block_maxima = maxima.data(),
                           .maxima_stride = interface.NumBlocks()})
                    .has_value());
  }

  FloatTensors tensors_;
};

TEST_F(CoremlHostileTest, AnyByteOfTheProgram_IsRefusedOrRuns) {
  std::mt19937 random(13);
  for (const HeadForm form :
       {HeadForm::kFull, HeadForm::kTop1, HeadForm::kBlockMax, HeadForm::kTop1F16}) {
    const auto paths = HeadPackage(form, {.tokens = 2, .flexible = true});
    ASSERT_FALSE(paths.empty());
    const std::string model = paths.front() + "/Data/com.apple.CoreML/model.mlmodel";
    const std::string good = ReadAll(model);
    int refused = 0;
    for (int round = 0; round < 400; ++round) {
      std::string bad = good;
      bad[random() % bad.size()] = static_cast<char>(random());
      WriteAll(model, bad);
      const auto loaded = loader_->LoadHead({.paths = paths});
      if (loaded) {
        RunOnce(loaded->get());
      } else {
        ++refused;
        EXPECT_NE(loaded.error().message.find(paths.front()), std::string::npos)
            << loaded.error().message;
      }
    }
    EXPECT_GT(refused, 100) << NameOf(form);
    WriteAll(model, good);
    EXPECT_TRUE(loader_->LoadHead({.paths = paths}).has_value());
  }
}

TEST_F(CoremlHostileTest, LayersForHeadsAndEmbeddings_AreToldApart) {
  const std::string none = directory_.Path("none.mlpackage");
  EXPECT_EQ(loader_->LoadLayers({&none, 1}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(loader_->LoadHead({.paths = {&none, 1}}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(loader_->LoadEmbedding(directory_.Path("none.gguf")).error().code,
            ErrorCode::kNotFound);
  const auto paths = HeadPackage(HeadForm::kFull, {});
  EXPECT_EQ(loader_->LoadLayers(paths).error().code, ErrorCode::kCorrupt);
  EXPECT_NE(LoadHead(paths), nullptr);
  std::filesystem::remove(paths.front() + "/Data/com.apple.CoreML/weights/weight.bin");
  const auto loaded = loader_->LoadHead({.paths = paths});
  ASSERT_FALSE(loaded.has_value());
  EXPECT_NE(loaded.error().message.find(paths.front()), std::string::npos);
  EXPECT_FALSE(OpenStoredShard(paths.front()).has_value());
}

}  // namespace
}  // namespace headway::coreml

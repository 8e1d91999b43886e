#pragma once

// Shards written by the coreml emitter, loaded to be interpreted, and the oracle on what
// they store.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "device/coreml/coreml_device.h"
#include "device/coreml/emitter.h"
#include "device/coreml/stored_shard.h"

namespace headway::coreml {

// A directory of this process, removed with this object.
class ScratchDirectory {
 public:
  explicit ScratchDirectory(const std::string& name);
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory();
  std::string Path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// All bytes of a file.
std::string ReadAll(const std::string& path);

// Matrices and vectors in binary32 by name: a WeightSource.
class FloatTensors {
 public:
  void Set(const std::string& name, const Shape& shape, std::vector<float> values);
  Result<ConstTensorView> View(const std::string& name) const;

 private:
  struct Tensor {
    Shape shape;
    std::vector<float> values;
  };
  std::map<std::string, Tensor> tensors_;
};

// Head matrices that are hard on a choice.
enum class Rows { kNormal, kTies, kEqual, kExtreme };

struct HeadMatrix {
  int64_t rows = 0, channels = 0;
  float deviation = 0.0F;  // of the weights
  float loud = 0.0F;       // factor of every third row of kExtreme
};

// [rows, channels]: kTies: every row has twins in its block, its shard and another shard; kEqual:
// zeros; kExtreme: every third row loud, the next too quiet for a 16-bit float to tell from 0.
std::vector<float> DrawRows(Rows kind, const HeadMatrix& head);

// A norm with gains of 1 and the matrix, "gain" and "head" of `tensors`.
graph::Graph HeadGraph(const HeadMatrix& head, std::vector<float> matrix, FloatTensors* tensors);

class CoremlShardTest : public testing::Test {
 protected:
  // One package of all widths; returns its path, alone. A failure is a test failure, and no path.
  std::vector<std::string> Emit(const graph::Graph& shard, const WeightSource& source,
                                const EmitterOptions& options, std::optional<HeadForm> head,
                                const std::vector<StepWidth>& widths, int64_t max_seq = 32);
  // Null after a failure.
  template <class Shard>
  static std::unique_ptr<Shard> Loaded(Result<std::unique_ptr<Shard>> loaded) {
    EXPECT_TRUE(loaded.has_value()) << loaded.error().message;
    return loaded ? *std::move(loaded) : nullptr;
  }
  std::unique_ptr<LoadedLayerShard> LoadLayers(const std::vector<std::string>& paths) {
    return paths.empty() ? nullptr : Loaded(loader_->LoadLayers(paths));
  }
  std::unique_ptr<LoadedHeadShard> LoadHead(const std::vector<std::string>& paths) {
    return paths.empty() ? nullptr : Loaded(loader_->LoadHead({.paths = paths}));
  }

  ThreadPool pool_{2};
  std::unique_ptr<ShardLoader> loader_ = MakeInterpretingLoader(&pool_);
  ScratchDirectory directory_{"shards"};
  int made_ = 0;
};

// |found - expected| / |expected|, Frobenius norms.
double RelativeError(const std::vector<float>& found, const std::vector<double>& expected);

}  // namespace headway::coreml

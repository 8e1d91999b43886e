#pragma once

// Turns shards into a device's files (compile). The runtime meets them only as files
// (device/device.h).

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "device/traits.h"
#include "graph/graph.h"
#include "graph/value_ranges.h"
#include "manifest/manifest.h"
#include "tensor/tensor_view.h"

namespace headway {

namespace lmhead {
class Planes;
}  // namespace lmhead

// Finds a weight's rows in the model file; the view must stay valid during Emit().
using WeightSource = std::function<Result<ConstTensorView>(const std::string& name)>;
// Called now and then with the bytes of weights written since the last call.
using ByteProgress = std::function<void(uint64_t bytes)>;

// How many tokens a step of a program takes: exactly `tokens`, or any number from 1 to it.
struct StepWidth {
  int64_t tokens = 1;
  bool flexible = false;
  friend bool operator==(const StepWidth&, const StepWidth&) = default;
};

// What a shard is, beside its graph, to devices whose programs are made for one use.
struct ShardUse {
  std::optional<HeadForm> head = {};              // none: layers, or the embedding
  std::vector<StepWidth> widths = {StepWidth{}};  // all in the one file, sharing its weights
  int64_t max_seq = 0;                            // positions of the caches
  // The weight whose rows are the hidden states that the first layer is given, for layers.
  std::string embedding = {};
};

// What `pack` may ask of a device; what a device does not know is refused.
struct DeviceOptions {
  std::string weights = {};    // coreml: "int8" (default), "fp16", "lut4", ...
  std::string states = {};     // coreml: "per-layer" (default), "unified", "io"
  std::string attention = {};  // coreml: "per-head" (default), "batched"
  int64_t head_splits = 0;     // coreml: convolutions of a head shard; 0: 1
  std::optional<float> norm_prescale = std::nullopt;  // coreml: factor before squares
  // coreml: factor on the residual stream; nothing: as recorded values ask for.
  std::optional<float> residual_scale = std::nullopt;
  ThreadPool* pool = nullptr;  // what encodes weights; null: one thread
};

// Writes a certified head whose signs are multiplied by programs of the device, and its rows by the
// host.
class ScreenEmitter {
 public:
  virtual ~ScreenEmitter() = default;
  // The program that multiplies the signs of the rows of `shard`, a part of the head, by each of
  // `widths`, to the new file `path`. Errors: kIo, kUnsupported.
  virtual Result<FileEntry> EmitScreen(const graph::Graph& shard, const lmhead::Planes& planes,
                                       const std::vector<StepWidth>& widths,
                                       const std::string& path) = 0;
  // What the host needs to multiply rows of `head`: its norm, and its matrix unless that is the
  // package's embedding, whose digest is noted then. Errors: kIo, kUnsupported.
  virtual Result<FileEntry> EmitRows(const graph::Graph& head, const WeightSource& weights,
                                     const FileEntry* embedding_or_null,
                                     const std::string& path) = 0;
};

class Emitter {
 public:
  virtual ~Emitter() = default;
  const DeviceTraits& GetTraits() const { return traits_; }

  // Everything but the device that the bytes written depend on; for journals.
  virtual std::string Settings() const = 0;
  // How the device stores weights; empty: as the model file has them. For the manifest.
  virtual std::string Weights() const { return ""; }
  // What the model's values reach, before anything is written, where traits().computes_in_halves.
  virtual void Learn(const graph::ValueRanges& /*ranges*/) {}
  // The factor with which the device's programs hold hidden states between layers; what runs them
  // applies and undoes it. For the manifest.
  virtual float ResidualScale() const { return 1.0F; }
  // Whether shards can be made for `widths`; before anything is recorded or written. Errors:
  // kUnsupported.
  virtual Result<void> CheckWidths(const std::vector<StepWidth>& /*widths*/) const { return {}; }
  // Writes `shard` (one value in, one out) to the new file `path`. Weights are streamed: memory use
  // is independent of the shard's size. Returns bytes and digest; FileEntry::path is left empty.
  // Errors: kIo; kUnsupported, naming the node that this device cannot run.
  virtual Result<FileEntry> Emit(const ShardUse& use, const graph::Graph& shard,
                                 const WeightSource& weights, const std::string& path,
                                 const ByteProgress& progress) = 0;
  // Null: the shards of a certified head are those of a full head.
  virtual ScreenEmitter* Screens() { return nullptr; }

 protected:
  explicit Emitter(const DeviceTraits& traits) : traits_(traits) {}

 private:
  const DeviceTraits& traits_;
};

}  // namespace headway

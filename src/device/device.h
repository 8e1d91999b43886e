#pragma once

// What a device must offer. Two sides that meet only in a shard file: an Emitter turns a shard's
// graph and weights into a file (compile), a Backend loads such a file and runs it (runtime). One
// folder per device below this one; devices do not see each other.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"
#include "headway/kv_type.h"
#include "lmhead/planes.h"
#include "manifest/manifest.h"
#include "tensor/tensor_view.h"

namespace headway {

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
  std::string head_kind;  // "full"; empty for layers and embeddings
  StepWidth width;
  int64_t max_seq = 0;  // positions of the caches
  // The weight whose rows are the hidden states that the first layer is given, for layers.
  std::string embedding = {};
};

class Emitter {
 public:
  virtual ~Emitter() = default;
  // "cpu"
  virtual std::string_view Device() const = 0;
  // Everything but the device that the bytes written depend on; for journals.
  virtual std::string Settings() const { return ""; }
  // How the device stores weights, where it has a choice; for the manifest.
  virtual std::string Weights() const { return ""; }
  // Head kinds that it can make: "full".
  virtual std::vector<std::string> HeadKinds() const { return {"full"}; }
  // Whether a shard is made once for every width; otherwise one serves them all.
  virtual bool HasWidths() const { return false; }
  // Positions of the caches when nobody asks for a number; 0: as the model.
  virtual int64_t DefaultMaxSeq() const { return 0; }
  // Endings of the names of embeddings and of all other shards.
  virtual std::string_view EmbeddingSuffix() const { return ".shard"; }
  virtual std::string_view ShardSuffix() const { return ".shard"; }
  // Whether an embedding tied to the head needs a file of its own all the same.
  virtual bool KeepsTiedEmbedding() const { return false; }

  // Whether a certified head's signs are multiplied by programs of the device, made by
  // EmitScreen(), and its rows by the host, from the file that EmitRows() writes. Otherwise the
  // shards are those of a full head.
  virtual bool ScreensOnDevice() const { return false; }

  // Writes `shard` (one value in, one out) to the new file `path`. Weights are streamed: memory use
  // is independent of the shard's size. Returns bytes and digest; FileEntry::path is left empty.
  // Errors: kIo; kUnsupported, naming the node that this device cannot run.
  virtual Result<FileEntry> Emit(const graph::Graph& shard, const WeightSource& weights,
                                 const std::string& path, const ByteProgress& progress) = 0;
  // The same for devices that care what a shard is used for.
  virtual Result<FileEntry> EmitFor([[maybe_unused]] const ShardUse& use, const graph::Graph& shard,
                                    const WeightSource& weights, const std::string& path,
                                    const ByteProgress& progress) {
    return Emit(shard, weights, path, progress);
  }

  // The program that multiplies the signs of the rows of `shard`, a part of the head, to the new
  // file `path`. Errors: kIo, kUnsupported.
  virtual Result<FileEntry> EmitScreen(const ShardUse& use, const graph::Graph& shard,
                                       const lmhead::Planes& planes, const std::string& path) {
    static_cast<void>(use), static_cast<void>(shard), static_cast<void>(planes);
    return Fail(ErrorCode::kUnsupported, path + ": this device screens no rows");
  }
  // What the host needs to multiply rows of `head`: its norm, and its matrix unless that is the
  // package's embedding, whose digest is noted then. Errors: kIo, kUnsupported.
  virtual Result<FileEntry> EmitRows(const graph::Graph& head, const WeightSource& weights,
                                     const FileEntry* embedding_or_null, const std::string& path) {
    static_cast<void>(head), static_cast<void>(weights), static_cast<void>(embedding_or_null);
    return Fail(ErrorCode::kUnsupported, path + ": this device screens no rows");
  }
};

inline constexpr int64_t kRowBlock = 16;

// The keys and values that one shard keeps of one conversation. Made by the shard's Executable, used
// with it alone, by one step at a time.
class ShardState {
 public:
  virtual ~ShardState() = default;
  // Memory held for keys and values.
  virtual int64_t KvBytes() const = 0;
  // For benchmarks of long contexts: every key and value becomes some number, in memory that is
  // there, as if tokens had been run.
  virtual void FillCache() {}
};

// What steps through one shard need besides, whatever the conversations: work queues, results of
// single threads. Made by the shard's Executable, used with it alone, by one step at a time.
class ShardWorkspace {
 public:
  virtual ~ShardWorkspace() = default;
};

// One conversation's part of a step: consecutive tokens.
struct StepRow {
  ShardState* state = nullptr;  // of this conversation alone; no two rows of a step share one
  int64_t first_position = 0;   // of the first token; the state holds everything before it
  int64_t num_tokens = 0;       // at least 1
};

// One step through a shard: T tokens, of one conversation or of several. What a token gets does not
// depend, not in one bit, on the other conversations of the step.
struct StepArgs {
  int64_t num_tokens = 0;  // T, 1 to MaxTokens()
  // Layers: whose tokens they are, in order; together T. Heads look at none.
  std::span<const StepRow> rows = {};
  const float* input = nullptr;  // [T, D]
  float* output = nullptr;       // [T, N], rows output_stride floats apart
  int64_t output_stride = 0;
  // [T, rotary_dim / 2], attention factor included, each token's by its own position.
  const float* rotary_cos = nullptr;
  const float* rotary_sin = nullptr;
  // [T, ShardInterface::NumBlocks()], where there are blocks; null: not wanted.
  float* block_maxima = nullptr;
  int64_t maxima_stride = 0;
  // Executable::ScratchBytes() bytes, 64-byte aligned; may be shared by shards that run in turn.
  std::byte* scratch = nullptr;
  ShardWorkspace* workspace = nullptr;  // of this shard
  // Head shards: the blocks of kRowBlock rows whose logits are needed, ascending; empty: all.
  // Others may be computed, too.
  std::span<const int32_t> needed_blocks = {};
};

// What a shard takes and gives: the runtime sizes its buffers from the manifest, so the two must
// agree.
struct ShardInterface {
  int64_t input_channels = 0;  // 0: token ids
  int64_t output_channels = 0;
  int64_t rotary_dim = 0;     // 0: the shard rotates nothing
  int64_t matrix_rows = 0;    // what ReadRow() may be asked for
  int64_t max_positions = 0;  // of its cache; 0: any
  // A head may give more or less than logits: the maximum of every block_rows of them (0: none; the
  // last block may be short), or, instead of them, the best logit and its row, the lowest among
  // equals: two outputs. A logit that is no finite number beats those that are.
  int64_t block_rows = 0;
  bool is_top1 = false;
  int64_t NumBlocks() const {
    return block_rows == 0 ? 0 : (output_channels + block_rows - 1) / block_rows;
  }
};

// Where one op of a shard runs.
struct OpPlacement {
  std::string op;                          // "linear"
  std::string name;                        // "blk.0.ffn_down.weight Q8_0", or the value it makes
  std::string where;                       // "avx512", "neural engine"
  bool counts = false;                     // the residency gate is decided by it
  bool resident = false;                   // runs where the device wants it
  std::string reason;                      // when it is not resident
  std::vector<std::string> warnings = {};  // what may make it slow or wrong where it is
};

struct Residency {
  std::string basis = "measured";          // or "predicted": no such device here
  std::vector<OpPlacement> ops = {};       // every compute op of the shard, in order
  std::vector<std::string> warnings = {};  // of the shard as a whole
};

// A matrix that a shard multiplies with: rows [row_begin, row_begin + rows) of the model file's
// tensor `weight`.
struct Product {
  std::string weight;
  int64_t row_begin = 0;
  int64_t rows = 0;
  int64_t columns = 0;
};

// What the last product of a head shard multiplies, in the device's own form; one token.
struct ProductInput {
  const std::byte* activations = nullptr;
};

// What a conversation wants of its state of a shard.
struct StateOptions {
  int64_t capacity_tokens = 1;  // the longest sequence
  KvType kv = KvType::kF16;     // CanStore(kv)
};

class Executable;

// One shard of a head in a step that runs all of them.
struct HeadRun {
  Executable* shard = nullptr;
  StepArgs args;
};
// Told after each shard, in order, on the thread that called: for counters.
using HeadShardDone = std::function<void(size_t shard)>;

// A loaded shard. Immutable; any number of conversations may run on it, each with its own state.
class Executable {
 public:
  virtual ~Executable() = default;

  // Whether states can hold keys and values in that form.
  virtual bool CanStore(KvType kv) const { return kv == KvType::kF16; }
  // Null: the shard keeps nothing of a conversation.
  virtual std::unique_ptr<ShardState> NewState([[maybe_unused]] const StateOptions& options) const {
    return nullptr;
  }
  // For steps whose states have capacities of at most `capacity_tokens` (heads: 0).
  virtual std::unique_ptr<ShardWorkspace> NewWorkspace(
      [[maybe_unused]] int64_t capacity_tokens) const {
    return std::make_unique<ShardWorkspace>();
  }

  // Runs T tokens. Everything was checked at load: cannot fail, does not allocate.
  virtual void Run(const StepArgs& args) noexcept = 0;

  // Runs all shards of the head that this is the first shard of, on the same input and scratch,
  // with the results of Run() on each. Cannot fail, does not allocate.
  virtual void RunHead(std::span<const HeadRun> runs, const HeadShardDone& done) noexcept {
    for (size_t i = 0; i < runs.size(); ++i) {
      runs[i].shard->Run(runs[i].args);
      done(i);
    }
  }

  // Writes row `row` of the shard's matrix (the last linear's, or the embedding table's) as f32
  // [D]: how tied embeddings are read from a head shard.
  virtual void ReadRow(int64_t row, float* out) const = 0;

  virtual ShardInterface Interface() const = 0;
  // Step buffers that Run() needs.
  virtual int64_t ScratchBytes() const = 0;
  // The most tokens one Run() takes.
  virtual int64_t MaxTokens() const = 0;
  // Bytes of weights that one Run() reads.
  virtual int64_t WeightBytes() const = 0;
  // For work that runs a shard once: weights that are read in place need not stay in memory. The
  // next run reads them from the file again.
  virtual void LetGoOfWeights() const {}
  // Where each of its compute ops runs, and what serves it.
  virtual headway::Residency Residency() const = 0;

  // A head shard taken apart, for heads that do not need every row (docs/certified_head.md). Rows
  // come in strips of StripRows(); 0: this device cannot.
  virtual int64_t StripRows() const { return 0; }
  // Runs everything before the shard's last product, for one token, and writes what that product
  // multiplies to `multiplied`, [D] f32: quantised activations as the numbers they stand for. The
  // result serves every shard of the same head while args.scratch stays as it is. Cannot fail, does
  // not allocate.
  virtual ProductInput RunToProduct(const StepArgs& args, float* multiplied) noexcept {
    static_cast<void>(args), static_cast<void>(multiplied);
    return {};
  }
  // Writes y[row] for the rows of a strip (counted in this shard), bit for bit as Run() does; may
  // write those of neighbouring strips. Several threads may call it at once.
  virtual void ComputeStrip(const ProductInput& input, int64_t strip, float* y) const noexcept {
    static_cast<void>(input), static_cast<void>(strip), static_cast<void>(y);
  }

  // A head shard that is a program for the signs of a certified head's rows
  // (lmhead/device_signs.h): bytes of weights that one pass reads; 0: this is no such shard.
  virtual int64_t EstimateBytes() const { return 0; }
  // What the device's sums must be for the bounds to hold; empty: nothing is assumed. Static text.
  virtual std::string_view EstimateAssumption() const { return ""; }
  // rotated: [num_states, D], 16-bit floats; estimates of state s at estimates + s * stride, one a
  // row of this shard. Cannot fail.
  virtual void EstimateRows(const float* rotated, int64_t num_states, float* estimates,
                            int64_t stride) noexcept {
    static_cast<void>(rotated), static_cast<void>(num_states), static_cast<void>(estimates),
        static_cast<void>(stride);
  }

  // The shard's matrix products one by one, as Run() computes them: how the golden gate finds the
  // channel that is wrong. Empty on devices whose shards cannot be taken apart.
  virtual std::vector<Product> Products() const { return {}; }
  // Multiplies product `index` with T inputs: x [T, columns] to y [T, rows].
  virtual void RunProduct(size_t index, int64_t num_tokens, const float* x, float* y) {
    static_cast<void>(index), static_cast<void>(num_tokens), static_cast<void>(x),
        static_cast<void>(y);
  }
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view Device() const = 0;
  // Maps the shard file and checks all of it that is not weights. Errors: kCorrupt, kUnsupported,
  // kNotFound.
  virtual Result<std::unique_ptr<Executable>> Load(const std::string& path) = 0;
  // Opens the planes of a certified head, which must be those of the rows `rows_digest`
  // (lmhead/planes.h). Errors: kUnsupported (no certified head on this device), kCorrupt,
  // kNotFound.
  virtual Result<lmhead::Planes> LoadPlanes(const std::string& path,
                                            const std::string& rows_digest) {
    static_cast<void>(rows_digest);
    return Fail(ErrorCode::kUnsupported, path + ": this device has no certified head");
  }
  // A shard of a certified head whose signs the device multiplies: programs of EmitScreen() for
  // rows [first_row, first_row + rows) of the head, and the host's file of EmitRows().
  // `embedding_path` has the rows where that file has none. Errors: as Load().
  virtual Result<std::unique_ptr<Executable>> LoadScreened(std::span<const std::string> paths,
                                                           const std::string& rows_path,
                                                           const std::string& embedding_path,
                                                           int64_t first_row) {
    static_cast<void>(paths), static_cast<void>(embedding_path), static_cast<void>(first_row);
    return Fail(ErrorCode::kUnsupported, rows_path + ": this device screens no rows");
  }
  // One shard made for several widths; all paths hold the same weights. Errors: as Load().
  virtual Result<std::unique_ptr<Executable>> LoadWidths(std::span<const std::string> paths) {
    return Load(paths.front());
  }
};

}  // namespace headway

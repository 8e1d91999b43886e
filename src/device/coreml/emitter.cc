#include "device/coreml/emitter.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "base/file_tree.h"
#include "device/coreml/coreml_device.h"
#include "device/coreml/embedding_prescale.h"
#include "device/coreml/graph_shards.h"
#include "device/coreml/half_range.h"
#include "device/coreml/host_rows.h"
#include "device/coreml/package/package.h"
#include "device/coreml/screen_program.h"
#include "device/coreml/shard_prediction.h"
#include "device/coreml/shards/shared_blobs.h"
#include "gguf/gguf_writer.h"
#include "graph/text.h"

namespace headway::coreml {
namespace {

// Shapes of programs are 32-bit, and a cache this long is read whole at every step.
constexpr int64_t kMostPositions = int64_t{1} << 20;

// "int8: relative RMS error 0.0041 on average, 0.0057 at most (w_down_3); largest error 0.013"
std::string DescribeWeights(const std::string& format,
                            const std::vector<mil::WeightReport>& reports) {
  double sum = 0;
  double largest = 0;
  const mil::WeightReport* worst = nullptr;
  for (const mil::WeightReport& report : reports) {
    sum += report.relative_rms_error;
    largest = std::max(largest, report.max_abs_error);
    if (worst == nullptr || report.relative_rms_error > worst->relative_rms_error) worst = &report;
  }
  if (worst == nullptr) return format;
  return fmt::format(
      "{}: relative RMS error {:.3g} on average, {:.3g} at most ({}); largest error {:.3g}", format,
      sum / static_cast<double>(reports.size()), worst->relative_rms_error, worst->name, largest);
}

// "t4", "t1to4": of a program of several widths; that of a single one stays "main".
std::string FunctionName(const StepWidth& width) {
  return fmt::format("t{}{}", width.flexible ? "1to" : "", width.tokens);
}

// One program of as many functions as widths; the first to be lowered writes the weights.
Result<mil::Shard> LowerWidths(
    const std::vector<StepWidth>& widths, mil::SharedBlobs* blobs,
    const std::function<Result<mil::Shard>(const StepWidth& width, bool first)>& lower) {
  HW_TRY(mil::Shard first, lower(widths.front(), true));
  if (widths.size() == 1) return first;
  mil::Shard all{.model = {}, .weights = std::move(first.weights)};
  const auto add = [&all](const StepWidth& width, mil::Model one) {
    const std::string name = FunctionName(width);
    all.model.specification_version = one.specification_version;
    all.model.metadata = std::move(one.metadata);
    one.functions.front().name = name;
    all.model.functions.push_back(std::move(one.functions.front()));
    all.model.program.functions[name] = std::move(one.program.functions.at("main"));
  };
  add(widths.front(), std::move(first.model));
  all.model.default_function = FunctionName(widths.front());
  for (size_t i = 1; i < widths.size(); ++i) {
    blobs->NextFunction();
    HW_TRY(mil::Shard other, lower(widths[i], false));
    add(widths[i], std::move(other.model));
  }
  return all;
}

class CoremlEmitter final : public Emitter, public ScreenEmitter {
 public:
  CoremlEmitter(const EmitterOptions& options, ThreadPool* pool)
      : Emitter(kDevice.traits), options_(options), pool_(pool) {}

  std::string Settings() const override {
    return fmt::format(
        "form 3 weights {} states {} attention {} head-splits {} norm-prescale {} residual-scale "
        "{}",
        mil::NameOf(options_.weights), static_cast<int>(options_.states),
        static_cast<int>(options_.attention), options_.head_splits, options_.norm_prescale,
        options_.residual_scale ? fmt::format("{}", *options_.residual_scale) : "recorded");
  }
  void Learn(const graph::ValueRanges& ranges) override { ranges_ = ranges; }
  Result<void> CheckWidths(const std::vector<StepWidth>& widths) const override {
    const bool outside = options_.states == mil::StateLayout::kOutside;
    for (const StepWidth& width : widths) {
      if (!outside || !width.flexible) continue;
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("--batch-tokens: expected numbers of tokens with --states io, where "
                              "the cache is outside the program, found the range 1..{}",
                              width.tokens));
    }
    return {};
  }
  float ResidualScale() const override {
    return options_.residual_scale.value_or(ScaleFor(ranges_.residual_stream));
  }
  std::string Weights() const override { return mil::NameOf(options_.weights); }
  ScreenEmitter* Screens() override { return this; }

  Result<FileEntry> Emit(const ShardUse& use, const graph::Graph& shard,
                         const WeightSource& weights, const std::string& path,
                         const ByteProgress& progress) override {
    if (shard.nodes.size() == 1 && shard.nodes.front().op == graph::Op::kEmbedding) {
      HW_TRY_VOID(WriteEmbedding(shard, weights, path, progress));
      return Entry(path);
    }
    HW_TRY(mil::PackageWriter writer, mil::PackageWriter::Create(path, false));
    mil::SharedBlobs blobs(&writer.Weights());
    HW_TRY(mil::Shard lowered,
           LowerWidths(use.widths, &blobs, [&](const StepWidth& width, bool first) {
             return Lower(use, width, shard, first ? weights : WeightSource(), progress, &blobs);
           }));
    const std::string format = DescribeWeights(mil::NameOf(options_.weights), lowered.weights);
    return Finish(shard, format, ResidualScale(), &lowered, path, &writer);
  }

  Result<FileEntry> EmitScreen(const graph::Graph& shard, const lmhead::Planes& planes,
                               const std::vector<StepWidth>& widths,
                               const std::string& path) override {
    HW_TRY(mil::PackageWriter writer, mil::PackageWriter::Create(path, false));
    mil::SharedBlobs blobs(&writer.Weights());
    HW_TRY(mil::Shard lowered, LowerWidths(widths, &blobs, [&](const StepWidth& width, bool first) {
             return LowerScreen(shard, planes, width, first, &blobs);
           }));
    return Finish(shard, "signs of the rotated rows, one bit each", 1.0F, &lowered, path, &writer);
  }

  Result<FileEntry> EmitRows(const graph::Graph& head, const WeightSource& weights,
                             const FileEntry* embedding_or_null, const std::string& path) override {
    HW_TRY_VOID(HostRows::Write(head, weights, embedding_or_null, path));
    return Entry(path);
  }

 private:
  // `residual_scale`: of the hidden states that the program is given.
  static Result<FileEntry> Finish(const graph::Graph& shard, const std::string& weights,
                                  float residual_scale, mil::Shard* lowered,
                                  const std::string& path, mil::PackageWriter* writer) {
    if (residual_scale != 1.0F)
      lowered->model.metadata.user_defined[kResidualScaleKey] = fmt::format("{}", residual_scale);
    lowered->model.metadata.user_defined[kGraphKey] = graph::Print(shard);
    lowered->model.metadata.user_defined[kWeightsKey] = weights;
    lowered->model.metadata.short_description = "decoder shard for the Neural Engine";
    const auto weight_bytes = static_cast<int64_t>(writer->WeightBytes());
    HW_TRY_VOID(writer->Finish(lowered->model));
    HW_TRY(FileEntry entry, Entry(path));
    HW_TRY(entry.expected, PredictOps(lowered->model, weight_bytes));
    return entry;
  }
  static Result<FileEntry> Entry(const std::string& path) {
    HW_TRY(TreeDigest tree, DigestTree(path));
    return FileEntry{.path = "",
                     .bytes = tree.bytes,
                     .digest = std::move(tree.digest),
                     .blocks = std::move(tree.blocks)};
  }

  // Without `weights` the program alone, of weights that are written already.
  Result<mil::Shard> Lower(const ShardUse& use, const StepWidth& width, const graph::Graph& shard,
                           const WeightSource& weights, const ByteProgress& progress,
                           mil::BlobSink* blobs) {
    if (use.max_seq < 1 || use.max_seq > kMostPositions) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("coreml: --max-seq: expected 1 to {} positions, found {}",
                              kMostPositions, use.max_seq));
    }
    // A state whose extents are no multiples of 32 was seen to fail (place/rules.json, state-size).
    constexpr int64_t kStateStep = 32;
    LoweringOptions options{.max_seq = (use.max_seq + kStateStep - 1) / kStateStep * kStateStep,
                            .tokens = width.tokens,
                            .flexible = width.flexible,
                            .weights = options_.weights,
                            .states = options_.states,
                            .attention = options_.attention,
                            .norm_prescale = options_.norm_prescale,
                            .residual_scale = ResidualScale(),
                            .ranges = &ranges_,
                            .head_splits = options_.head_splits};
    // Progress counts bytes of the source; the shard builders count parameters.
    const auto total_bytes = static_cast<double>(graph::WeightBytes(shard));
    uint64_t told = 0;
    mil::ShardOptions shard_options{
        .pool = pool_, .progress = [&](int64_t done, int64_t total) {
          const auto bytes = static_cast<uint64_t>(total_bytes * static_cast<double>(done) /
                                                   static_cast<double>(total));
          progress(bytes - told);
          told = bytes;
        }};
    if (!weights) shard_options.progress = nullptr;
    if (!use.head) {
      const auto first = static_cast<int>(shard.nodes.front().stage);
      const auto last = static_cast<int>(shard.nodes.back().stage);
      if (first == 0 && options.norm_prescale == 0 && !use.embedding.empty()) {
        if (weights) HW_TRY_VOID(FindPrescale(use.embedding, weights));
        options.first_norm_prescale = embedding_prescale_;
      }
      return LowerLayers(shard, first, last - first + 1, weights, options, blobs, shard_options);
    }
    // The graph of a shard has its rows as row_begin of the weight; counted from there.
    const int64_t rows = shard.weights[static_cast<size_t>(shard.nodes.back().weights[0])].shape[0];
    return LowerHead(shard, 0, rows, *use.head, weights, options, blobs, shard_options);
  }

  // Once for all shards.
  Result<void> FindPrescale(const std::string& embedding, const WeightSource& weights) {
    if (embedding_prescale_ != 0) return {};
    HW_TRY(const ConstTensorView table, weights(embedding));
    embedding_prescale_ = EmbeddingPrescale(table);
    return {};
  }

  // The table as the model file has it, as the one tensor of a GGUF.
  static Result<void> WriteEmbedding(const graph::Graph& shard, const WeightSource& weights,
                                     const std::string& path, const ByteProgress& progress) {
    const graph::Weight& weight = shard.weights.front();
    HW_TRY(const ConstTensorView view, weights(weight.name));
    gguf::GgufWriter writer;
    writer.AddString("general.architecture", "headway-embedding");
    writer.AddTensor(weight.name, weight.type, weight.shape);
    HW_TRY_VOID(writer.Begin(path));
    const auto row_bytes = static_cast<size_t>(RowBytes(weight.type, weight.shape.Columns()));
    for (int64_t row = 0; row < weight.shape.Rows(); ++row) {
      HW_TRY_VOID(writer.WriteTensorBytes(
          weight.name, std::span<const std::byte>(view.Row(weight.row_begin + row), row_bytes)));
      progress(row_bytes);
    }
    return writer.Finish();
  }

  const EmitterOptions options_;
  ThreadPool* const pool_;
  graph::ValueRanges ranges_;        // empty: not recorded
  float embedding_prescale_ = 0.0F;  // 0: not known yet
};

Result<mil::StateLayout> ParseStates(const std::string& text) {
  if (text.empty() || text == "per-layer") return mil::StateLayout::kPerLayer;
  if (text == "unified") return mil::StateLayout::kUnified;
  if (text == "io") return mil::StateLayout::kOutside;
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("--states: expected per-layer, unified or io, found '{}'", text));
}

// One of two words; the first is the default.
Result<bool> SecondOf(const char* flag, const std::string& text, const char* first,
                      const char* second) {
  if (text.empty() || text == first) return false;
  if (text == second) return true;
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("{}: expected {} or {}, found '{}'", flag, first, second, text));
}

}  // namespace

std::unique_ptr<Emitter> MakeEmitter(const EmitterOptions& options, ThreadPool* pool) {
  return std::make_unique<CoremlEmitter>(options, pool);
}

Result<std::unique_ptr<Emitter>> NewEmitter(const DeviceOptions& options) {
  EmitterOptions emitter;
  HW_TRY(emitter.weights, ParseWeightFormat(options.weights.empty() ? "int8" : options.weights));
  HW_TRY(const bool batched, SecondOf("--attention", options.attention, "per-head", "batched"));
  HW_TRY(emitter.states, ParseStates(options.states));
  emitter.attention = batched ? mil::AttentionForm::kBatched : mil::AttentionForm::kPerHead;
  if (options.head_splits < 0) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("--head-split: expected 1 or more, found {}", options.head_splits));
  }
  emitter.head_splits = std::max<int64_t>(1, options.head_splits);
  emitter.norm_prescale = options.norm_prescale.value_or(0.0F);
  if (options.norm_prescale &&
      !(emitter.norm_prescale > 0.0F && emitter.norm_prescale <= 1024.0F)) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("--norm-prescale: expected a number above 0 and at most 1024, found {}",
                            emitter.norm_prescale));
  }
  emitter.residual_scale = options.residual_scale;
  if (options.residual_scale &&
      !(*options.residual_scale >= 0x1p-14F && *options.residual_scale <= 1.0F &&
        IsPowerOfTwo(*options.residual_scale))) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("--residual-scale: expected 1 or a power of two below it, at least "
                            "2^-14, found {}",
                            *options.residual_scale));
  }
  return MakeEmitter(emitter, options.pool);
}

Result<mil::WeightFormat> ParseWeightFormat(const std::string& text) {
  if (text == "fp16") return mil::WeightFormat{.kind = mil::WeightKind::kF16};
  if (text == "int8") return mil::WeightFormat{.kind = mil::WeightKind::kInt8PerChannel};
  if (text == "int4-blockwise") return mil::WeightFormat{.kind = mil::WeightKind::kInt4Blockwise};
  for (const int bits : {1, 2, 3, 4, 6, 8}) {
    if (text == fmt::format("lut{}", bits))
      return mil::WeightFormat{.kind = mil::WeightKind::kLut, .lut_bits = bits};
  }
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("--weights: expected fp16, int8, lut1, lut2, lut3, lut4, lut6, lut8 or "
                          "int4-blockwise, found '{}'",
                          text));
}

}  // namespace headway::coreml

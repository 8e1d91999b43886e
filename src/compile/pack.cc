#include "compile/pack.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <utility>

#include "base/digest.h"
#include "base/file_writer.h"
#include "base/progress.h"
#include "compile/head_kind.h"
#include "compile/journal.h"
#include "compile/write_planes.h"
#include "gguf/gguf_file.h"
#include "gguf/gguf_writer.h"
#include "graph/passes.h"
#include "headway/version.h"
#include "model/model.h"
#include "model/vocabulary.h"
#include "partition/partition.h"
#include "tokenizer/tokenizer.h"

namespace headway::compile {
namespace {

namespace fs = std::filesystem;
using partition::Range;

constexpr const char* kTokenizerFileName = "tokenizer.gguf";

// Everything decided before the first byte is written: bad requests fail early and leave nothing
// behind.
struct PackPlan {
  ModelConfig model;
  std::vector<std::pair<Range, graph::Graph>> layers;
  struct Head {
    std::string kind;
    std::vector<std::pair<Range, graph::Graph>> shards;  // empty: those of heads[shares]
    bool with_planes = false;
    size_t shares = 0;
  };
  std::vector<Head> heads;
  std::string head_weight;  // the tensor of the head's rows
  graph::Graph embedding;
  bool own_embedding = false;
  int64_t max_seq = 0;
  uint64_t total_bytes = 0;
};

// The weight of the last product of a head.
std::string LastWeight(const graph::Graph& head) {
  for (auto node = head.nodes.rbegin(); node != head.nodes.rend(); ++node) {
    if (node->op != graph::Op::kLinear) continue;
    return head.weights[static_cast<size_t>(node->weights[0])].name;
  }
  return "";
}

// The head whose rows `kind` uses: a certified head those of the first full head, any other its
// own. Heads are numbered as listed; `own` is the number of the head itself.
Result<size_t> SharedHead(const std::vector<std::string>& heads, const HeadKind& kind, size_t own) {
  if (kind.name != "certified") return own;
  for (size_t i = 0; i < heads.size(); ++i) {
    HW_TRY(const HeadKind other, ParseHeadKind(heads[i]));
    if (other.name == "full") return i;
  }
  return own;
}

// Errors: kUnsupported, kInvalidInput.
Result<int64_t> ChooseMaxSeq(const PackOptions& options, const Emitter& emitter,
                             const ModelConfig& model) {
  const int64_t context = model.max_position_embeddings;
  if (options.max_seq < 0 || options.max_seq > context) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("--max-seq: expected 1 to {} positions (the model's context), found {}",
                            context, options.max_seq));
  }
  if (options.widths.empty() || (!emitter.HasWidths() && options.widths != PackOptions{}.widths)) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("--batch-tokens: expected none for the device {}, whose shards take any "
                    "number of tokens",
                    emitter.Device()));
  }
  return std::min(options.max_seq > 0 ? options.max_seq : emitter.DefaultMaxSeq(), context);
}

Result<PackPlan> MakePackPlan(const gguf::GgufFile& file, const PackOptions& options,
                              const Emitter& emitter) {
  PackPlan plan;
  HW_TRY(plan.model, model::ReadModelConfig(file));
  HW_TRY(plan.max_seq, ChooseMaxSeq(options, emitter, plan.model));
  const int64_t num_layers = plan.model.num_hidden_layers;
  // A package whose tokenizer cannot be opened would be found useless only when it is run.
  HW_TRY(tokenizer::Vocabulary vocabulary, model::VocabularyFromGguf(file));
  HW_TRY_VOID(tokenizer::Tokenizer::Create(std::move(vocabulary)));
  HW_TRY(const std::vector<Range> topology, partition::ParseTopology(options.topology, num_layers));
  HW_TRY(graph::Graph whole, model::BuildGraph(file, plan.model));
  HW_TRY(const graph::Graph graph, graph::RunPasses(std::move(whole), graph::DefaultPasses()));
  for (const Range& range : topology) {
    HW_TRY(graph::Graph part, partition::CutStages(graph, range));
    plan.total_bytes += static_cast<uint64_t>(graph::WeightBytes(part));
    plan.layers.emplace_back(range, std::move(part));
  }
  HW_TRY(const graph::Graph head,
         partition::CutStages(graph, {.begin = num_layers, .end = num_layers + 1}));
  plan.head_weight = LastWeight(head);
  for (const std::string& text : options.heads) {
    HW_TRY(const HeadKind kind, ParseHeadKind(text));
    HW_TRY_VOID(CheckHeadKind(text, kind, emitter.Device(), emitter.HeadKinds()));
    HW_TRY(const size_t shares, SharedHead(options.heads, kind, plan.heads.size()));
    PackPlan::Head planned{.kind = KindText(kind),
                           .shards = {},
                           .with_planes = kind.name == "certified",
                           .shares = shares};
    if (shares == plan.heads.size()) {
      HW_TRY(const std::vector<Range> rows,
             partition::SplitVocabulary(plan.model.vocab_size, kind.num_shards));
      for (const Range& range : rows) {
        HW_TRY(graph::Graph part, partition::CutHeadRows(head, range));
        plan.total_bytes += static_cast<uint64_t>(graph::WeightBytes(part));
        planned.shards.emplace_back(range, std::move(part));
      }
    }
    plan.heads.push_back(std::move(planned));
  }
  if (plan.heads.empty())
    return Fail(ErrorCode::kInvalidInput, "head: expected at least one kind, found none");
  plan.total_bytes *= options.widths.size();
  plan.own_embedding = !plan.model.tie_word_embeddings || emitter.KeepsTiedEmbedding();
  if (plan.own_embedding) {
    HW_TRY(plan.embedding, partition::CutStages(graph, {.begin = -1, .end = 0}));
    plan.total_bytes += static_cast<uint64_t>(graph::WeightBytes(plan.embedding));
  }
  return plan;
}

// The metadata that makes a tokenizer, as a GGUF of its own.
Result<FileEntry> WriteTokenizer(const gguf::GgufFile& file, const std::string& directory) {
  gguf::GgufWriter writer;
  for (const gguf::MetadataEntry& entry : file.Metadata()) {
    if (entry.key.substr(0, 10) == "tokenizer." || entry.key == "general.architecture")
      writer.AddCopy(entry);
  }
  const std::string path = (fs::path(directory) / kTokenizerFileName).string();
  HW_TRY_VOID(writer.Begin(path));
  const uint64_t bytes = writer.SizeBytes();
  HW_TRY_VOID(writer.Finish());
  HW_TRY(std::string digest, FileDigestHex(path));
  return FileEntry{.path = kTokenizerFileName, .bytes = bytes, .digest = std::move(digest)};
}

// --replace removes what stands at the target: that must be a package, never somebody's model file
// or home directory.
Result<void> CheckReplaceable(const std::string& directory, bool replace) {
  std::error_code error;
  if (!replace || !fs::exists(directory, error)) return {};
  if (fs::exists(fs::path(directory) / kManifestFileName, error)) return {};
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("{}: expected a package to replace (a directory with {}), found "
                          "something else; name another "
                          "directory or remove it yourself",
                          directory, kManifestFileName));
}

std::string TokensText(const StepWidth& width) {
  return fmt::format("{}{}", width.flexible ? "1.." : "", width.tokens);
}

class Packer {
 public:
  Packer(const gguf::GgufFile& file, Emitter* emitter, Construction* construction,
         const PackPlan& plan, const PackOptions& options)
      : file_(file),
        emitter_(emitter),
        construction_(*construction),
        plan_(plan),
        options_(options),
        progress_("packing", plan.total_bytes, options.show_progress) {}

  // One file for each width, the first one's name being `name` and the device's ending.
  Result<std::vector<FileEntry>> EmitWidths(const graph::Graph& shard, const std::string& name,
                                            const std::string& head_kind) {
    std::vector<FileEntry> files;
    for (const StepWidth& width : options_.widths) {
      const std::string suffix =
          width == StepWidth{} ? ""
                               : fmt::format("_t{}{}", width.flexible ? "1to" : "", width.tokens);
      HW_TRY(FileEntry file,
             Emit(shard, {.head_kind = head_kind, .width = width, .max_seq = plan_.max_seq},
                  fmt::format("{}{}{}", name, suffix, emitter_->ShardSuffix())));
      files.push_back(std::move(file));
    }
    return files;
  }

  Result<FileEntry> Emit(const graph::Graph& shard, const ShardUse& use, const std::string& name) {
    const auto total = static_cast<uint64_t>(graph::WeightBytes(shard));
    const uint64_t before = done_bytes_;
    if (auto finished = construction_.journal.Finished(name)) {
      done_bytes_ = before + total;
      return *std::move(finished);
    }
    const std::atomic<bool>* const cancelled_or_null = options_.cancelled_or_null;
    const WeightSource source = [&](const std::string& weight) -> Result<ConstTensorView> {
      if (cancelled_or_null != nullptr && cancelled_or_null->load(std::memory_order_relaxed)) {
        return Fail(ErrorCode::kCancelled, "interrupted while packing; nothing was written");
      }
      return file_.GetTensor(weight);
    };
    const ByteProgress progress = [&](uint64_t bytes) {
      done_bytes_ += bytes;
      progress_.Update(done_bytes_, name);
    };
    const std::string path = (fs::path(construction_.directory.Path()) / name).string();
    HW_TRY(FileEntry entry, emitter_->EmitFor(use, shard, source, path, progress));
    done_bytes_ = before + total;
    entry.path = name;
    if (emitter_->HasWidths() && name.ends_with(emitter_->ShardSuffix()))
      entry.tokens = TokensText(use.width);
    // The shard's source pages will not be read again soon: keep the resident set small.
    file_.Mapping().AdviseDone(0, file_.Mapping().Bytes().size());
    HW_TRY_VOID(construction_.journal.Add(entry));
    return entry;
  }

 private:
  const gguf::GgufFile& file_;
  Emitter* const emitter_;
  Construction& construction_;
  const PackPlan& plan_;
  const PackOptions& options_;
  uint64_t done_bytes_ = 0;
  Progress progress_;
};

// The first file is the shard's own, the others serve other widths.
template <class Shard>
void Assign(std::vector<FileEntry> files, Shard* shard) {
  shard->file = std::move(files.front());
  shard->wider.assign(std::make_move_iterator(files.begin() + 1),
                      std::make_move_iterator(files.end()));
}

Result<void> EmitAll(const PackPlan& plan, const Emitter& emitter, Packer* packer,
                     Manifest* manifest) {
  if (plan.own_embedding) {
    HW_TRY(manifest->embedding,
           packer->Emit(plan.embedding, {}, fmt::format("embedding{}", emitter.EmbeddingSuffix())));
  }
  for (const auto& [range, graph] : plan.layers) {
    HW_TRY(
        std::vector<FileEntry> files,
        packer->EmitWidths(graph, fmt::format("layers_{:03}_{:03}", range.begin, range.end), ""));
    LayerShard shard{.start = range.begin, .end = range.end, .file = {}};
    Assign(std::move(files), &shard);
    manifest->layers.push_back(std::move(shard));
  }
  for (const PackPlan::Head& head : plan.heads) {
    HeadSpec spec{.kind = head.kind, .shards = {}};
    std::string prefix = head.kind;
    std::replace(prefix.begin(), prefix.end(), ':', '_');
    const std::string kind = head.kind.substr(0, head.kind.find(':'));
    for (const auto& [range, graph] : head.shards) {
      const auto index = static_cast<int64_t>(spec.shards.size());
      HW_TRY(std::vector<FileEntry> files,
             packer->EmitWidths(graph, fmt::format("head_{}_{:02}", prefix, index), kind));
      HeadShard shard{
          .shard_index = index, .vocab_start = range.begin, .vocab_end = range.end, .file = {}};
      Assign(std::move(files), &shard);
      spec.shards.push_back(std::move(shard));
    }
    manifest->heads.push_back(std::move(spec));
  }
  return {};
}

// The planes of certified heads, once every row has been written.
Result<void> AddPlanes(const PackPlan& plan, const gguf::GgufFile& file,
                       const std::string& directory, const PackOptions& options,
                       Manifest* manifest) {
  for (size_t i = 0; i < plan.heads.size(); ++i) {
    if (!plan.heads[i].with_planes) continue;
    HeadSpec& spec = manifest->heads[i];
    if (plan.heads[i].shares != i) spec.shards = manifest->heads[plan.heads[i].shares].shards;
    HW_TRY(const ConstTensorView rows, file.GetTensor(plan.head_weight));
    HW_TRY(spec.planes, WritePlanes(rows, RowsDigest(spec), directory, options));
  }
  return {};
}

// Everything that the bytes of the package depend on, in one line.
Result<std::string> RequestLine(const std::string& gguf_path, const PackPlan& plan,
                                const PackOptions& options, const Emitter& emitter) {
  HW_TRY(const std::string fingerprint, QuickFingerprint(gguf_path));
  std::string line = fmt::format("{} headway {} schema {} {} {} topology {} max-seq {} heads",
                                 fingerprint, kVersion, Manifest::kSchema, emitter.Device(),
                                 emitter.Settings(), options.topology, plan.max_seq);
  for (const PackPlan::Head& head : plan.heads) line += fmt::format(" {}", head.kind);
  if (options.rotation_seed) line += fmt::format(" rotation {}", *options.rotation_seed);
  line += " tokens";
  for (const StepWidth& width : options.widths) line += fmt::format(" {}", TokensText(width));
  return line;
}

}  // namespace

Result<Manifest> Pack(const std::string& gguf_path, const std::string& directory,
                      const PackOptions& options, Emitter* emitter) {
  HW_TRY(const gguf::GgufFile file, gguf::GgufFile::Open(gguf_path));
  HW_TRY(const PackPlan plan, MakePackPlan(file, options, *emitter));
  HW_TRY_VOID(CheckReplaceable(directory, options.replace));
  HW_TRY(const std::string request, RequestLine(gguf_path, plan, options, *emitter));
  HW_TRY(Construction target, OpenConstruction(directory, options.replace, request));
  if (options.on_start) options.on_start();
  Manifest manifest;
  manifest.producer = fmt::format("headway {}", kVersion);
  manifest.source_file = fs::path(gguf_path).filename().string();
  HW_TRY(manifest.source_digest, QuickFingerprint(gguf_path));
  manifest.device = std::string(emitter->Device());
  manifest.weights = emitter->Weights();
  manifest.max_seq = plan.max_seq;
  manifest.model = plan.model;
  HW_TRY(manifest.tokenizer, WriteTokenizer(file, target.directory.Path()));
  {
    Packer packer(file, emitter, &target, plan, options);
    HW_TRY_VOID(EmitAll(plan, *emitter, &packer, &manifest));
  }
  HW_TRY_VOID(AddPlanes(plan, file, target.directory.Path(), options, &manifest));
  if (options.before_commit) HW_TRY_VOID(options.before_commit(target.directory.Path(), &manifest));
  HW_TRY_VOID(WriteTextFileAtomically(
      (fs::path(target.directory.Path()) / kManifestFileName).string(), ToJson(manifest)));
  target.journal.Remove();
  HW_TRY_VOID(target.directory.Commit());
  return manifest;
}

Result<std::string> QuickFingerprint(const std::string& path) {
  constexpr size_t kEndBytes = size_t{4} << 20;
  HW_TRY(const MappedFile file, MappedFile::Open(path));
  const auto bytes = file.Bytes();
  const uint64_t size_bytes = bytes.size();
  StreamingDigest digest;
  digest.Update(std::as_bytes(std::span<const uint64_t>(&size_bytes, 1)));
  digest.Update(bytes.first(std::min(bytes.size(), kEndBytes)));
  digest.Update(bytes.last(std::min(bytes.size(), kEndBytes)));
  return digest.Hex();
}

}  // namespace headway::compile

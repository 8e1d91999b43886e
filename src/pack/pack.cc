#include "pack/pack.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <span>
#include <utility>

#include "base/digest.h"
#include "base/file_writer.h"
#include "base/notice.h"
#include "base/thread_pool.h"
#include "gguf/gguf_file.h"
#include "gguf/gguf_writer.h"
#include "gguf/split.h"
#include "headway/version.h"
#include "lmhead/common_directions.h"
#include "lmhead/planes.h"
#include "manifest/head_kind.h"
#include "pack/auto_head.h"
#include "pack/journal.h"
#include "pack/pack_plan.h"
#include "pack/packer.h"
#include "pack/record_ranges.h"
#include "pack/record_states.h"
#include "pack/recorded_texts.h"
#include "pack/weight_noise.h"

namespace headway::pack {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTokenizerFileName = "tokenizer.gguf";

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
  FileEntry entry{.path = kTokenizerFileName, .bytes = bytes, .digest = {}};
  HW_TRY(entry.digest, FileDigestHex(path, &entry.blocks));
  return entry;
}

// --replace removes what stands at the target: that must be a package, never somebody's model file
// or home directory.
Result<void> CheckReplaceable(const std::string& directory, bool replace) {
  std::error_code error;
  if (!replace || !fs::exists(directory, error)) return {};
  if (IsPackageOfAnyVersion(directory)) {
    const std::optional<std::string> other = FileBesidePackage(directory);
    if (!other) return {};
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("{}: expected a package and nothing else to replace, found '{}' in it; "
                            "move that elsewhere, or name another directory",
                            directory, *other));
  }
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("{}: expected a package to replace (a directory with a {} of ours), "
                          "found something else; name another directory or remove it yourself",
                          directory, kManifestFileName));
}

// By what the model reads with the head `manifest` has so far. Nothing to learn from: those of the
// rows alone.
Result<lmhead::CommonDirections> LearnDirections(const ConstTensorView& rows,
                                                 const std::string& directory,
                                                 const PackOptions& options,
                                                 const Manifest& manifest) {
  HW_TRY(const lmhead::RecordedStates states, RecordStates(directory, manifest, options));
  HW_TRY(const auto pool,
         ThreadPool::Start(options.threads == 0 ? DefaultThreads() : options.threads));
  return lmhead::FindDirections(rows, states, pool.get(), options.most_directions);
}

// The planes, once every row has been written: one file, since all heads that have planes share
// their rows.
Result<void> AddPlanes(const PackPlan& plan, const gguf::GgufFile& file,
                       const std::string& directory, const PackOptions& options,
                       Manifest* manifest) {
  std::optional<FileEntry> planes;
  for (size_t i = 0; i < plan.heads.size(); ++i) {
    HeadSpec& spec = manifest->heads[i];
    if (!plan.heads[i].kind.HasPlanes() || spec.planes) continue;
    if (plan.heads[i].shares != i) spec.shards = manifest->heads[plan.heads[i].shares].shards;
    HW_TRY(const ConstTensorView rows, file.GetTensor(plan.head_weight));
    if (!planes) {
      if (options.show_progress && !ShapeCanPay(rows)) {
        Notice(
            fmt::format("headway: a head of {} rows of {} channels is faster in full: --head auto "
                        "would not take the certified one\n",
                        rows.shape[0], rows.shape.Columns()));
      }
      HW_TRY(auto found, LearnDirections(rows, directory, options, *manifest));
      HW_TRY(planes,
             WritePlanes(rows, RowsDigest(spec), std::move(found.values), directory, options));
    }
    spec.planes = planes;
  }
  return {};
}

// A certified head in front of the full one, on the same rows, when it is expected to pay.
Result<void> ChooseHead(const PackPlan& plan, const gguf::GgufFile& file,
                        const std::string& directory, const PackOptions& options,
                        Manifest* manifest) {
  manifest->auto_head = AutoHead{};
  if (!plan.may_be_certified) return {};
  HW_TRY(const ConstTensorView rows, file.GetTensor(plan.head_weight));
  HW_TRY(auto found, LearnDirections(rows, directory, options, *manifest));
  if (!found.forecast) return {};
  manifest->auto_head->forecast = std::round(1000.0 * *found.forecast) / 1000.0;
  if (!(*found.forecast <= kMostForecast)) return {};
  HeadSpec certified{.kind = KindText({.form = HeadForm::kCertified}),
                     .shards = manifest->heads.front().shards};
  auto planes =
      WritePlanes(rows, RowsDigest(certified), std::move(found.values), directory, options);
  if (!planes && planes.error().code == ErrorCode::kUnsupported) return {};  // the full one serves
  HW_TRY(certified.planes, std::move(planes));
  manifest->heads.insert(manifest->heads.begin(), std::move(certified));
  return {};
}

Result<void> AddGoldensOf(const PackOptions& options, const std::string& gguf_path,
                          const std::string& directory, Manifest* manifest) {
  if (options.goldens_or_null != nullptr) {
    HW_TRY(manifest->goldens, WriteGoldens(*options.goldens_or_null, directory));
  } else if (options.goldens) {
    GoldenOptions golden = *options.goldens;
    golden.show_progress = options.show_progress;
    golden.cancelled_or_null = options.cancelled_or_null;
    HW_TRY_VOID(RecordInto(gguf_path, directory, golden, manifest));
  }
  return {};
}

// Formats with few values a weight make another model of it: said before the work, by what they are
// expected to cost.
void SayWhatIsLost(const std::string& weights, int64_t num_layers) {
  constexpr double kWorthSaying = 5e-3;
  const double noise = WeightNoise(weights);
  if (noise < kWorthSaying) return;
  const auto percent = [&](const char* format, bool hidden) {
    const double own = WeightNoise(format);
    return std::lround(100 * std::sqrt(hidden ? HiddenNoise(own, num_layers) : own));
  };
  Notice(fmt::format(
      "headway: {} keeps weights to about {} % and hidden states to about {} %: the model will "
      "answer differently, and the quality gate will say so; lut6 keeps {} % and {} %, int8 {} % "
      "and {} %\n",
      weights, percent(weights.c_str(), false), percent(weights.c_str(), true),
      percent("lut6", false), percent("lut6", true), percent("int8", false),
      percent("int8", true)));
}

// Everything that the bytes of the package depend on, in one line.
std::string RequestLine(const std::string& source_digest, const PackPlan& plan,
                        const PackOptions& options, const Emitter& emitter) {
  std::string line =
      fmt::format("{} headway {} schema {} {} {} {} topology {} max-seq {} heads", source_digest,
                  kVersion, Manifest::kSchema, lmhead::kPlanesMagic, emitter.GetTraits().name,
                  emitter.Settings(), options.topology, plan.max_seq);
  for (const PackPlan::PlannedHead& head : plan.heads)
    line += fmt::format(" {}", KindText(head.kind));
  if (plan.auto_head) line += fmt::format(" auto texts {}", kRecordedTextsVersion);
  if (options.rotation_seed) line += fmt::format(" rotation {}", *options.rotation_seed);
  if (options.most_directions < kernels::kMaxDirections)
    line += fmt::format(" directions {}", options.most_directions);
  if (!options.usage_text.empty())
    line += fmt::format(" usage {}", DigestHex(std::as_bytes(std::span(options.usage_text))));
  line += fmt::format(" tokens {}", TokensText(options.widths));
  return line;
}

}  // namespace

Result<Manifest> Pack(const std::string& gguf_path, const std::string& directory,
                      const PackOptions& options, Emitter* emitter) {
  HW_TRY(const gguf::GgufFile file, gguf::GgufFile::Open(gguf_path));
  HW_TRY(const PackPlan plan, MakePackPlan(file, options, emitter));
  HW_TRY_VOID(CheckReplaceable(directory, options.replace));
  std::string source_digest = options.source_digest;
  if (source_digest.empty()) {
    HW_TRY(source_digest, gguf::ModelDigestHex(gguf_path));
  }
  const std::string request = RequestLine(source_digest, plan, options, *emitter);
  HW_TRY(Construction target, OpenConstruction(directory, options.replace, request));
  if (options.for_owner_only) {
    std::error_code error;  // a directory of ours
    fs::permissions(target.directory.Path(), fs::perms::group_write | fs::perms::others_write,
                    fs::perm_options::remove, error);
  }
  if (!options.announcement.empty()) Notice(options.announcement + "\n");
  if (options.show_progress) SayWhatIsLost(emitter->Weights(), plan.model.num_hidden_layers);
  Manifest manifest;
  manifest.producer = ProducerText();
  manifest.source_file = fs::path(file.Path()).filename().string();
  manifest.source_digest = kWholeFile + source_digest;
  manifest.device = std::string(emitter->GetTraits().name);
  manifest.weights = emitter->Weights();
  manifest.max_seq = plan.max_seq;
  manifest.model = plan.model;
  if (emitter->GetTraits().computes_in_halves) {
    HW_TRY(const graph::ValueRanges ranges, RecordRanges(file, plan, options));
    emitter->Learn(ranges);
  }
  manifest.residual_scale = emitter->ResidualScale();
  HW_TRY(manifest.tokenizer, WriteTokenizer(file, target.directory.Path()));
  {
    ShardPacker packer(file, emitter, &target, plan, options);
    HW_TRY_VOID(packer.EmitShards(&manifest));
  }
  if (plan.auto_head) {
    HW_TRY_VOID(ChooseHead(plan, file, target.directory.Path(), options, &manifest));
  }
  HW_TRY_VOID(AddPlanes(plan, file, target.directory.Path(), options, &manifest));
  HW_TRY_VOID(AddGoldensOf(options, gguf_path, target.directory.Path(), &manifest));
  HW_TRY_VOID(WriteTextFileAtomically(
      (fs::path(target.directory.Path()) / kManifestFileName).string(), ToJson(manifest)));
  target.journal.Remove();
  HW_TRY_VOID(CheckReplaceable(directory, options.replace));  // what may have appeared meanwhile
  HW_TRY_VOID(target.directory.Commit());
  return manifest;
}

std::string ProducerText() { return fmt::format("headway {}", kVersion); }

}  // namespace headway::pack

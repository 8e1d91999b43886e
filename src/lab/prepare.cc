#include "lab/prepare.h"

#include <fmt/format.h>
#include <fmt/ranges.h>  // join, from fmt 11 on

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <map>
#include <utility>
#include <vector>

#include "base/notice.h"
#include "engine/open.h"
#include "gates/gate.h"
#include "manifest/head_kind.h"
#include "pack/pack.h"
#include "pack/record_goldens.h"

namespace headway::lab {
namespace {

namespace fs = std::filesystem;

void Say(const Workshop& workshop, const std::string& text) {
  if (workshop.show_progress) Notice("lab: " + text + "\n");
}

// Letters, digits and '-' stay, the rest becomes '_'.
std::string FileName(std::string text) {
  for (char& c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-') c = '_';
  }
  return text;
}

std::string Canonical(const std::string& head) { return CanonicalHeadKind(head).value_or(head); }

// Whether this build's shards are in the package: a file format that has changed since (or a file
// that was cut short) is found when the shards are loaded, before anything is measured.
bool Opens(const std::string& package, const std::string& head) {
  EngineOptions options;
  options.threads = 1;
  options.head = head;
  options.load = LoadWeights::kMap;
  const auto model = OpenPackage(package, options);
  return model && CheckIntegrity(**model, true);
}

// Whether the package is of this model, made by this version, with all these heads, and can be
// used; otherwise it is made anew.
bool HoldsAll(const Workshop& workshop, const std::string& package,
              const std::vector<std::string>& heads) {
  const auto manifest = OpenManifest(package, false);
  if (!manifest || manifest->source_digest != workshop.model_digest || !manifest->goldens ||
      manifest->producer != pack::ProducerText()) {
    return false;
  }
  return std::all_of(heads.begin(), heads.end(), [&](const std::string& head) {
    return std::any_of(manifest->heads.begin(), manifest->heads.end(),
                       [&](const HeadSpec& spec) { return spec.kind == head; }) &&
           Opens(package, head);
  });
}

// Goldens do not depend on topology and heads: made once a device, kept in the experiment's
// directory under the model's digest.
Result<Goldens> GoldensFor(const Workshop& workshop, const std::string& device) {
  const fs::path directory = fs::path(workshop.directory) / "packages" /
                             fmt::format("goldens-{}-{}", device, workshop.model_digest);
  const std::string path = (directory / kGoldensFileName).string();
  HW_TRY(const Device* const found, FindDevice(device));
  // Those of an older form have no norms, which devices that store rows of their own need.
  if (auto kept = ReadGoldens(path); kept && (!found->StoresOwnRows() || kept->HasRowNorms()))
    return kept;
  HW_TRY(const gguf::GgufFile file, gguf::GgufFile::Open(workshop.model));
  Say(workshop, fmt::format("goldens for {}, once", device));
  HW_TRY(Goldens goldens, pack::MakeGoldens(file, file,
                                            {.device = device,
                                             .show_progress = workshop.show_progress,
                                             .cancelled_or_null = workshop.cancelled_or_null}));
  std::error_code error;
  fs::create_directories(directory, error);
  HW_TRY_VOID(WriteGoldens(goldens, directory.string()));
  return goldens;
}

Result<void> PackOne(const Workshop& workshop, const VariantSpec& variant,
                     const std::vector<std::string>& heads) {
  const std::string package = PackageOf(workshop, variant);
  if (HoldsAll(workshop, package, heads)) return {};
  std::error_code error;
  fs::create_directories(fs::path(package).parent_path(), error);
  Say(workshop, fmt::format("packing {} with {}", fs::path(package).filename().string(),
                            fmt::join(heads, ", ")));
  HW_TRY(const auto pool, ThreadPool::Start(DefaultThreads()));
  DeviceOptions device;
  device.weights = variant.weights;
  device.pool = pool.get();
  HW_TRY(const auto emitter, MakeEmitterFor(variant.device, device));
  pack::PackOptions options{.topology = variant.topology, .heads = heads, .replace = true};
  if (emitter->GetTraits().fixed_widths && variant.batch_tokens > 1)
    options.widths.push_back({.tokens = variant.batch_tokens, .flexible = false});
  options.show_progress = workshop.show_progress;
  options.cancelled_or_null = workshop.cancelled_or_null;
  HW_TRY(const Goldens goldens, GoldensFor(workshop, variant.device));
  options.goldens_or_null = &goldens;
  HW_TRY_VOID(pack::Pack(workshop.model, package, options, emitter.get()));
  return {};
}

bool Resident(const OpPlacement& op) { return op.resident || !op.counts; }

// What is known of each shard of the variant, and whether a gate named it.
std::vector<ShardFacts> FactsOf(const Manifest& manifest, const std::string& head,
                                const gates::GateReport& report) {
  std::vector<ShardFacts> facts;
  for (const LayerShard& shard : manifest.layers) {
    facts.push_back({.name = shard.file.path,
                     .begin = shard.start,
                     .end = shard.end,
                     .is_head = false,
                     .bytes = shard.file.bytes});
  }
  for (const HeadSpec& spec : manifest.heads) {
    if (spec.kind != head) continue;
    for (const HeadShard& shard : spec.shards)
      facts.push_back({.name = shard.file.path,
                       .begin = shard.vocab_start,
                       .end = shard.vocab_end,
                       .is_head = true,
                       .bytes = shard.file.bytes});
  }
  for (ShardFacts& fact : facts) {
    for (const gates::ShardPlacement& placed : report.residency) {
      if (placed.shard != fact.name) continue;
      for (const OpPlacement& op : placed.residency.ops) {
        if (!op.counts) continue;
        ++fact.ops;
        fact.resident += op.resident ? 1 : 0;
        fact.failed = fact.failed || !Resident(op);
      }
    }
    for (const gates::Check& check : report.arithmetic)
      fact.failed =
          fact.failed || (!check.problem.empty() && check.subject.rfind(fact.name, 0) == 0);
  }
  return facts;
}

}  // namespace

std::string PackageOf(const Workshop& workshop, const VariantSpec& variant) {
  std::string name = fmt::format("{}-{}", variant.device, FileName(variant.topology));
  if (!variant.weights.empty()) name += fmt::format("-{}", FileName(variant.weights));
  const auto device = FindDevice(variant.device);
  if (device && (*device)->traits.fixed_widths && variant.batch_tokens > 1)
    name += fmt::format("-t{}", variant.batch_tokens);
  return (fs::path(workshop.directory) / "packages" / name).string();
}

std::string ReasonAgainst(const VariantSpec& variant) {
  const auto device = FindDevice(variant.device);
  if (!device) return device.error().message;
  const DeviceTraits& traits = (*device)->traits;
  const auto kind = ParseHeadKind(variant.head);
  if (!kind) return kind.error().message;
  const auto available = CheckHeadKind(variant.head, *kind, traits.name, traits.head_forms);
  if (!available) return available.error().message;
  if (!(*device)->StoresOwnRows() && !variant.weights.empty()) {
    return fmt::format("weights '{}': the device {} keeps the model file's own", variant.weights,
                       traits.name);
  }
  return "";
}

Result<void> PackMissing(const Workshop& workshop, Results* results) {
  std::map<std::string, std::vector<VariantResult*>> packages;
  for (VariantResult& variant : results->variants) {
    if (variant.status != Status::kPending) continue;
    if (std::string reason = ReasonAgainst(variant.spec); !reason.empty()) {
      variant.status = Status::kNotAvailable;
      variant.reason = std::move(reason);
      continue;
    }
    packages[PackageOf(workshop, variant.spec)].push_back(&variant);
  }
  for (const auto& [package, variants] : packages) {
    std::vector<std::string> heads;
    // Also of variants that are done: the package may be shared with them.
    for (const VariantResult& other : results->variants) {
      const std::string head = Canonical(other.spec.head);
      if (other.status != Status::kNotAvailable && PackageOf(workshop, other.spec) == package &&
          std::find(heads.begin(), heads.end(), head) == heads.end())
        heads.push_back(head);
    }
    Result<void> packed = PackOne(workshop, variants.front()->spec, heads);
    if (packed) continue;
    const ErrorCode code = packed.error().code;
    if (code == ErrorCode::kCancelled || code == ErrorCode::kIo) return packed;
    for (VariantResult* variant : variants) {
      variant->status = Status::kNotAvailable;
      variant->reason = packed.error().message;
    }
  }
  return {};
}

Result<void> GateVariant(const Workshop& workshop, const Spec& spec, VariantResult* variant) {
  const std::string package = PackageOf(workshop, variant->spec);
  const std::string head = Canonical(variant->spec.head);
  Say(workshop, fmt::format("gates of {}", variant->spec.name));
  const auto report = gates::RunGates(
      package, {.residency = true,
                .golden = spec.gates,
                .q8_kv = false,  // variants run with F16
                .record = false,
                .threads = variant->spec.threads > 0 ? variant->spec.threads : spec.threads,
                .head = head});
  if (!report) {
    const ErrorCode code = report.error().code;
    if (code == ErrorCode::kCancelled || code == ErrorCode::kIo)
      return tl::unexpected<Error>(report.error());
    variant->status = Status::kNotAvailable;
    variant->reason = report.error().message;
    return {};
  }
  HW_TRY(const Manifest manifest, OpenManifest(package, false));
  variant->gates = report->records;
  variant->shards = FactsOf(manifest, head, *report);
  variant->status = Status::kReady;
  for (const GateRecord& record : report->records) {
    if (record.basis != "measured") variant->status = Status::kNoDevice;
  }
  for (const GateRecord& record : report->records) {
    if (!record.Failed()) continue;
    variant->status = Status::kFailedGate;
    variant->reason = fmt::format("{}: {}", record.gate, record.detail);
    break;
  }
  return {};
}

}  // namespace headway::lab

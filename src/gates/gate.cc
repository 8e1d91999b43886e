#include "gates/gate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>  // join, from fmt 11 on

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "base/file_writer.h"
#include "gates/golden.h"
#include "gates/stack.h"
#include "gates/thresholds.h"

namespace headway::gates {
namespace {

namespace fs = std::filesystem;

// The heads of the package; with `only`, that one.
Result<Heads> OpenHeads(const OpenedModel& model, const std::string& only) {
  Heads heads;
  for (const HeadSpec& head : model.pipeline->manifest().heads) {
    if (!only.empty() && head.kind != only) continue;
    if (head.kind == model.pipeline->Head().kind) {
      heads.push_back(model.pipeline);
      continue;
    }
    HW_TRY(auto pipeline,
           Pipeline::Open(model.pipeline->Directory(), model.loader.get(), head.kind, false));
    heads.push_back(std::move(pipeline));
  }
  return heads;
}

GateRecord RunResidency(const Heads& heads, GateReport* report) {
  Pipeline* first = heads.front().get();
  for (size_t i = 0; i < first->Layers().size(); ++i) {
    report->residency.push_back({.shard = first->manifest().layers[i].file.path,
                                 .residency = first->Layers()[i]->Residency()});
  }
  for (const auto& pipeline : heads) {
    const LoadedHead& head = pipeline->Head();
    for (size_t i = 0; i < head.shards.size(); ++i)
      report->residency.push_back(
          {.shard = head.specs[i].file.path, .residency = head.shards[i]->Residency()});
    if (head.first) {
      report->residency.push_back(
          {.shard = FirstRowsPath(*pipeline, head.kind), .residency = head.first->Residency()});
    }
  }
  GateRecord record{.gate = "residency", .passed = true, .basis = "measured", .detail = ""};
  size_t total = 0;
  size_t elsewhere = 0;
  size_t open = 0;
  std::set<std::string> doubts;
  for (const ShardPlacement& shard : report->residency) {
    if (shard.residency.basis != "measured") record.basis = shard.residency.basis;
    for (const OpPlacement& op : shard.residency.ops) {
      if (!op.counts) continue;
      ++total;
      if (op.resident) {
        if (!op.doubts.empty()) ++open;
        for (const std::string& doubt : op.doubts) doubts.insert(doubt.substr(0, doubt.find(" (")));
        continue;
      }
      ++elsewhere;
      if (elsewhere == 1)
        record.detail =
            fmt::format("{}: {} {} on {}: {}", shard.shard, op.op, op.name, op.where, op.reason);
    }
  }
  if (elsewhere > 0) {
    record.passed = false;
    record.detail = fmt::format("{} of {} compute ops not resident, the first: {}", elsewhere,
                                total, record.detail);
    return record;
  }
  record.detail = fmt::format("{} of {} compute ops resident", total, total);
  if (open == 0) return record;
  record.passed = false;
  record.contested = true;
  record.detail += fmt::format(", {} of them by evidence that leaves it open: {}", open,
                               fmt::join(doubts, ", "));
  return record;
}

std::string BasisOf(const ShardLoader& loader) {
  return loader.IsDevice() ? "measured" : "interpreted";
}

GateRecord RecordArithmetic(const GateReport& report, const ShardLoader& loader,
                            bool rows_compared) {
  GateRecord record{.gate = "arithmetic", .passed = true, .basis = BasisOf(loader), .detail = ""};
  const auto failed = std::count_if(report.arithmetic.begin(), report.arithmetic.end(),
                                    [](const Check& check) { return !check.problem.empty(); });
  record.passed = failed == 0;
  if (record.passed) {
    record.detail = fmt::format("{} comparisons over {} positions{}", report.arithmetic.size(),
                                report.positions,
                                rows_compared ? ""
                                              : "; stored rows not compared with the model file: "
                                                "goldens of an older form, record new ones with "
                                                "--reference MODEL.gguf");
    return record;
  }
  const auto first = std::find_if(report.arithmetic.begin(), report.arithmetic.end(),
                                  [](const Check& check) { return !check.problem.empty(); });
  record.detail = fmt::format("{} of {} comparisons failed, the first: {}: {}", failed,
                              report.arithmetic.size(), first->subject, first->problem);
  return record;
}

GateRecord RecordQuality(const std::string& gate, const QualityFigures& q,
                         const ShardLoader& loader) {
  return {.gate = gate,
          .passed = q.problems.empty(),
          .basis = BasisOf(loader),
          .detail = q.problems.empty()
                        ? fmt::format("cosine {:.5f}, {}{} of {} first choices", q.cosine,
                                      q.has_logits ? fmt::format("KL {:.2g}, ", q.mean_kl) : "",
                                      q.same_choice, q.positions)
                        : q.problems.front()};
}

Result<void> CheckFit(const Goldens& goldens, const Manifest& manifest,
                      const std::string& directory) {
  const ModelConfig& m = manifest.model;
  if (goldens.num_layers == m.num_hidden_layers && goldens.hidden_size == m.hidden_size &&
      goldens.vocab_size == m.vocab_size && goldens.device == manifest.device &&
      goldens.NumTokens() >= 1 && goldens.NumTokens() < manifest.ContextTokens()) {
    return {};
  }
  return Fail(ErrorCode::kCorrupt,
              fmt::format("{}/{}: expected goldens of {} layers of {} channels, {} tokens, for "
                          "{}, found {}, {}, {}, for {}",
                          directory, kGoldensFileName, m.num_hidden_layers, m.hidden_size,
                          m.vocab_size, manifest.device, goldens.num_layers, goldens.hidden_size,
                          goldens.vocab_size, goldens.device));
}

// New results replace older ones of the same gate; the others stay, but that quality counts only
// where arithmetic passed.
Result<void> Store(const std::string& directory, const std::vector<GateRecord>& records) {
  HW_TRY(Manifest manifest, OpenManifest(directory, false));
  for (const GateRecord& record : records) {
    const auto old = std::find_if(manifest.gates.begin(), manifest.gates.end(),
                                  [&](const GateRecord& r) { return r.gate == record.gate; });
    if (old == manifest.gates.end()) {
      manifest.gates.push_back(record);
    } else {
      *old = record;
    }
  }
  const bool wrong = std::any_of(records.begin(), records.end(), [](const GateRecord& r) {
    return r.gate == "arithmetic" && !r.passed;
  });
  if (wrong) {
    std::erase_if(manifest.gates,
                  [](const GateRecord& r) { return r.gate == "quality" || r.gate == kQ8KvGate; });
  }
  return WriteTextFileAtomically((fs::path(directory) / kManifestFileName).string(),
                                 ToJson(manifest));
}

}  // namespace

Result<GateReport> RunGatesOn(OpenedModel* model, const GateOptions& options,
                              const Goldens* goldens_or_null) {
  HW_TRY(const Heads heads, OpenHeads(*model, options.head));
  const Device& device = model->pipeline->device();
  GateReport report;
  report.directory = model->pipeline->Directory();
  report.device = model->summary.device;
  report.kernels = model->summary.instruction_set;
  if (options.residency) report.records.push_back(RunResidency(heads, &report));
  if (!options.golden) return report;
  if (goldens_or_null == nullptr) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("{}: expected goldens in the package, found none; add them with "
                            "--reference MODEL.gguf, the file it was made from",
                            report.directory));
  }
  HW_TRY_VOID(CheckFit(*goldens_or_null, model->pipeline->manifest(), report.directory));
  report.positions = goldens_or_null->NumTokens();
  HW_TRY(report.arithmetic, CompareArithmetic(model, heads, *goldens_or_null));
  report.records.push_back(RecordArithmetic(
      report, *model->loader, !device.StoresOwnRows() || goldens_or_null->HasRowNorms()));
  // Whether shards that compute something else than they hold are a good model is no question.
  if (!report.records.back().passed) return report;
  HW_TRY(report.quality, CompareQuality(model, heads, *goldens_or_null));
  report.records.push_back(RecordQuality("quality", report.quality, *model->loader));
  if (!options.q8_kv) return report;
  HW_TRY(report.quality_q8_kv, CompareQualityOfQ8Kv(*model, heads, *goldens_or_null));
  if (report.quality_q8_kv.positions > 0)
    report.records.push_back(RecordQuality(kQ8KvGate, report.quality_q8_kv, *model->loader));
  return report;
}

Result<GateReport> RunGates(const std::string& directory, const GateOptions& options) {
  HW_TRY(const auto model, OpenPackage(directory, {.threads = options.threads,
                                                   .instruction_set = options.instruction_set,
                                                   .head = options.head,
                                                   .load = LoadWeights::kMap,
                                                   .compute_units = options.compute_units,
                                                   .verify_contents = true}));
  const Manifest& manifest = model->pipeline->manifest();
  Goldens goldens;
  if (options.golden && manifest.goldens) {
    HW_TRY(goldens, ReadGoldens((fs::path(directory) / manifest.goldens->path).string()));
  }
  HW_TRY(GateReport report,
         RunGatesOn(model.get(), options, manifest.goldens ? &goldens : nullptr));
  if (options.record) HW_TRY_VOID(Store(directory, report.records));
  return report;
}

Result<bool> CheckRecords(const Manifest& manifest, const std::string& directory, KvType kv) {
  bool gated = kv == KvType::kF16 && !manifest.gates.empty();
  for (const GateRecord& record : manifest.gates) {
    const bool of_q8_kv = record.gate == kQ8KvGate;
    if (of_q8_kv && kv != KvType::kQ8_0) continue;
    gated = gated || of_q8_kv;
    if (!record.Failed()) continue;
    return Fail(ErrorCode::kGateFailed,
                fmt::format("{}: the gate {} failed: {} (run it all the same with --allow-ungated)",
                            directory, record.gate, record.detail));
  }
  return gated;
}

}  // namespace headway::gates

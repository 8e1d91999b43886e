// headway pack: a package from a GGUF.

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "commands.h"
#include "engine/open.h"
#include "gates/gate.h"
#include "interrupt.h"
#include "numbers.h"
#include "output.h"
#include "pack/pack.h"
#include "prompt.h"

namespace headway::cli {
namespace {

// Of a shard and its other widths.
template <class Shard, class Use>
void ForFiles(const Shard& shard, const Use& use) {
  use(shard.file);
  for (const FileEntry& file : shard.wider) use(file);
}

template <class Use>
void ForShardFiles(const Manifest& manifest, const Use& use) {
  for (const LayerShard& shard : manifest.layers) ForFiles(shard, use);
  for (const HeadSpec& head : manifest.heads) {
    for (const HeadShard& shard : head.shards) ForFiles(shard, use);
  }
}

// "; predicted: 1801 of 1803 compute ops on the Neural Engine", where the device predicts;
// "predicted, contested" where evidence speaks for and against.
std::string PredictionNote(const Manifest& manifest) {
  int64_t total = 0;
  int64_t resident = 0;
  int64_t open = 0;
  std::string basis;
  ForShardFiles(manifest, [&](const FileEntry& file) {
    if (!file.expected) return;
    basis = file.expected->basis;
    total += file.expected->compute_total;
    resident += file.expected->compute_ane;
    open += file.expected->compute_contested;
  });
  if (basis.empty()) return "";
  return fmt::format("; {}{}: {} of {} compute ops on the Neural Engine{}", basis,
                     open > 0 ? ", contested" : "", resident, total,
                     open > 0 ? fmt::format(", {} by evidence that leaves it open", open) : "");
}

}  // namespace

Result<void> Run(const PackArguments& arguments) {
  pack::PackOptions options{.topology = arguments.topology,
                            .heads = {},
                            .rotation_seed = arguments.rotation_seed,
                            .most_directions = arguments.most_directions,
                            .threads = arguments.threads,
                            .replace = arguments.replace,
                            .show_progress = true,
                            .cancelled_or_null = CatchInterrupts()};
  for (size_t begin = 0; begin <= arguments.heads.size();) {
    const size_t end = std::min(arguments.heads.find(',', begin), arguments.heads.size());
    options.heads.push_back(arguments.heads.substr(begin, end - begin));
    begin = end + 1;
  }
  options.max_seq = arguments.max_seq;
  HW_TRY(options.usage_text, ReadUsage(arguments.usage_file));
  HW_TRY(options.widths, pack::ParseStepWidths(arguments.batch_tokens));
  HW_TRY_VOID(CheckThreads(arguments.threads));
  HW_TRY(const auto pool,
         ThreadPool::Start(arguments.threads == 0 ? DefaultThreads() : arguments.threads));
  HW_TRY(const auto emitter,
         MakeEmitterFor(arguments.device, {.weights = arguments.weights,
                                           .states = arguments.states,
                                           .attention = arguments.attention,
                                           .head_splits = arguments.head_splits,
                                           .norm_prescale = arguments.norm_prescale,
                                           .residual_scale = arguments.residual_scale,
                                           .pool = pool.get()}));
  if (!arguments.no_goldens) options.goldens.emplace();
  HW_TRY(const Manifest manifest,
         pack::Pack(arguments.model, arguments.output, options, emitter.get()));
  uint64_t bytes = manifest.tokenizer.bytes;
  if (manifest.embedding) bytes += manifest.embedding->bytes;
  std::set<std::string> counted;  // heads share files
  const auto count = [&](const FileEntry& file) {
    if (counted.insert(file.path).second) bytes += file.bytes;
  };
  ForShardFiles(manifest, count);
  for (const HeadSpec& head : manifest.heads) {
    if (head.planes) count(*head.planes);
    if (head.first) count(head.first->file);
    if (head.rows) count(*head.rows);
  }
  HW_TRY_VOID(WriteOut(fmt::format(
      "{}: {}, {}, {}{}\n", arguments.output, Plural(manifest.layers.size(), "layer shard"),
      Plural(manifest.heads.size(), "head"), FormatBytes(static_cast<double>(bytes)),
      PredictionNote(manifest))));
  if (!arguments.gate) return {};
  HW_TRY(const gates::GateReport report,
         gates::RunGates(arguments.output, {.instruction_set = ForcedInstructionSet()}));
  HW_TRY_VOID(WriteOut(gates::ToText(report)));
  if (report.Passed()) return {};
  return Fail(ErrorCode::kGateFailed,
              fmt::format("{}: a gate failed; the package was kept", arguments.output));
}

}  // namespace headway::cli

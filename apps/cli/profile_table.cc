#include "profile_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "numbers.h"

namespace headway::cli {
namespace {

double Ms(uint64_t ns) { return static_cast<double>(ns) / 1e6; }

// One line: a part's time in all, per step, and as a share of the steps.
std::string Line(const std::string& name, uint64_t ns, const Counters& c,
                 const std::string& note = "") {
  const double steps = static_cast<double>(std::max<uint64_t>(c.steps, 1));
  const double share =
      c.step_ns > 0 ? 100.0 * static_cast<double>(ns) / static_cast<double>(c.step_ns) : 0.0;
  return fmt::format("{:<28}{:>12.1f}{:>12.3f}{:>9.1f} %  {}\n", name, Ms(ns), Ms(ns) / steps,
                     share, note);
}

// "12.3 GB/s" for bytes read in a time.
std::string Rate(uint64_t bytes, uint64_t ns) {
  if (ns == 0) return "";
  return fmt::format("{:.1f} GB/s", static_cast<double>(bytes) / static_cast<double>(ns));
}

}  // namespace

uint64_t Percentile(const std::vector<uint64_t>& samples_ns, double percent) {
  if (samples_ns.empty()) return 0;
  std::vector<uint64_t> sorted = samples_ns;
  std::sort(sorted.begin(), sorted.end());
  const auto rank =
      static_cast<size_t>(std::ceil(percent / 100.0 * static_cast<double>(sorted.size())));
  return sorted[std::min(std::max<size_t>(rank, 1), sorted.size()) - 1];
}

std::string ProfileTable(const ModelSummary& model, const Counters& c) {
  std::string text;
  text += fmt::format("model     {} ({}), layers {}, head {}\n", model.name, model.architecture,
                      model.topology, model.head);
  text +=
      fmt::format("device    {} {}, {} thread{}; weights read a token {}, KV cache {}\n",
                  model.device, model.instruction_set, model.threads, model.threads == 1 ? "" : "s",
                  FormatBytes(static_cast<double>(model.weight_bytes_per_token)),
                  FormatBytes(static_cast<double>(c.kv_bytes)));
  text += fmt::format("prefill   {} tokens in {:.1f} ms ({:.1f} tokens/s, first token included)\n",
                      c.prefill_tokens, Ms(c.prefill_ns),
                      c.prefill_ns > 0 ? static_cast<double>(c.prefill_tokens) * 1e9 /
                                             static_cast<double>(c.prefill_ns)
                                       : 0.0);
  if (c.steps == 0) return text;
  text += fmt::format("decode    {} steps, {:.2f} tokens/s; p50 {:.3f} ms, p99 {:.3f} ms\n\n",
                      c.steps, static_cast<double>(c.steps) * 1e9 / static_cast<double>(c.step_ns),
                      Ms(Percentile(c.step_samples_ns, 50)), Ms(Percentile(c.step_samples_ns, 99)));
  text += fmt::format("{:<28}{:>12}{:>12}{:>11}\n", "part", "ms", "ms a step", "share");
  text += Line("step", c.step_ns, c, Rate(c.layers_bytes_read + c.head_bytes_read, c.step_ns));
  text += Line("  embedding", c.embed_ns, c);
  text += Line("  rotary tables", c.rope_mask_ns, c);
  text += Line("  layers", c.layers_ns, c, Rate(c.layers_bytes_read, c.layers_ns));
  for (size_t i = 0; i < c.layer_shard_ns.size(); ++i)
    text += Line(fmt::format("    shard {}", i), c.layer_shard_ns[i], c);
  text += Line("  head", c.head_ns, c);
  text += Line("    projection", c.head_predict_ns, c, Rate(c.head_bytes_read, c.head_predict_ns));
  for (size_t i = 0; i < c.head_shard_ns.size(); ++i)
    text += Line(fmt::format("      shard {}", i), c.head_shard_ns[i], c);
  text += Line("    reduction (selection)", c.head_reduce_ns, c);
  text += fmt::format(
      "\nhead skipped for {} prompt tokens; cache rebuilt {} times; logits hash {:016x}\n",
      c.head_skipped, c.cache_rebuilds, c.logits_hash);
  return text;
}

}  // namespace headway::cli

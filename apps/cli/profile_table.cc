#include "profile_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lab/measure/turns.h"
#include "numbers.h"

namespace headway::cli {
namespace {

double Ms(uint64_t ns) { return static_cast<double>(ns) / 1e6; }

// One line: a part's time in all, per step, as a share of the steps, and how fast it read its
// weights.
std::string Line(const std::string& name, uint64_t ns, const Counters& c, uint64_t bytes = 0) {
  const double share =
      c.step_ns > 0 ? 100.0 * static_cast<double>(ns) / static_cast<double>(c.step_ns) : 0.0;
  std::string line = fmt::format("{:<27}{:>11.1f}{:>13.3f}{:>7.1f} %", name, Ms(ns),
                                 Ms(ns) / static_cast<double>(c.steps), share);
  if (bytes > 0 && ns > 0)
    line += fmt::format("{:>11.1f}", static_cast<double>(bytes) / static_cast<double>(ns));
  return line + "\n";
}

// The items of "0:6,6:12".
std::vector<std::string> SplitAtCommas(const std::string& text) {
  std::vector<std::string> items;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    items.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return items;
}

std::string Header(const ModelSummary& model, const Counters& c) {
  const double prefill_s = static_cast<double>(c.prefill_ns) / 1e9;
  std::string text = fmt::format("model    {} ({})\n", model.name, model.architecture);
  text += fmt::format("shards   layers {}; head {}{}\n", model.topology, model.head,
                      model.head_choice.empty() ? "" : fmt::format(" ({})", model.head_choice));
  text += fmt::format("device   {} {}, {}\n", model.device, model.instruction_set,
                      Plural(static_cast<uint64_t>(model.threads), "thread"));
  text += fmt::format("memory   {} of weights read a token, KV cache {}\n",
                      FormatBytes(static_cast<double>(model.weight_bytes_per_token)),
                      FormatBytes(static_cast<double>(c.kv_bytes)));
  text += fmt::format("prefill  {} in {:.1f} ms, {:.1f} tokens/s (first new token included)\n",
                      Plural(c.prefill_tokens, "token"), Ms(c.prefill_ns),
                      prefill_s > 0.0 ? static_cast<double>(c.prefill_tokens) / prefill_s : 0.0);
  if (c.steps == 0) return text;
  text += fmt::format(
      "decode   {} in {:.1f} ms, {:.2f} tokens/s; a step p50 {:.3f} ms, p99 {:.3f} ms\n",
      c.step_tokens == c.steps
          ? Plural(c.steps, "step")
          : fmt::format("{} in {}", Plural(c.step_tokens, "token"), Plural(c.steps, "step")),
      Ms(c.step_ns),
      static_cast<double>(c.step_tokens) * 1e9 /
          static_cast<double>(std::max<uint64_t>(c.step_ns + c.speculation.draft_ns, 1)),
      Ms(measure::Percentile(c.step_samples_ns, 50)),
      Ms(measure::Percentile(c.step_samples_ns, 99)));
  return text;
}

double Percent(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

// "the threads wait for each other 139.0 times a step: layers 130.0, head 9.0"
std::string MeetingsLine(const Counters& c) {
  if (c.steps == 0 || c.layers_meetings + c.head_meetings == 0) return "";
  const auto a_step = [&](uint64_t meetings) {
    return static_cast<double>(meetings) / static_cast<double>(c.steps);
  };
  return fmt::format(
      "\nthe threads wait for each other {:.1f} times a step: layers {:.1f}, head {:.1f}",
      a_step(c.layers_meetings + c.head_meetings), a_step(c.layers_meetings),
      a_step(c.head_meetings));
}

// "speculation: 40 of 56 drafts right (71.4 %), 6.00 tokens a pass; 2-grams 10 of 14, ..."
std::string SpeculationLine(const char* name, const SpeculationCounters& s) {
  if (s.passes == 0) return "";
  std::string text = fmt::format("\n{}: {} of {} drafts right ({:.1f} %), {:.2f} tokens a pass",
                                 name, s.accepted, s.drafted, Percent(s.accepted, s.drafted),
                                 static_cast<double>(s.tokens) / static_cast<double>(s.passes));
  const char* separator = "; ";
  for (size_t n = 0; n < s.drafted_by_ngram.size(); ++n) {
    if (s.drafted_by_ngram[n] == 0) continue;
    text += fmt::format("{}{}-grams {} of {}", separator, n, s.accepted_by_ngram[n],
                        s.drafted_by_ngram[n]);
    separator = ", ";
  }
  return text;
}

}  // namespace

std::string ProfileTable(const ModelSummary& model, const Counters& c) {
  std::string text = Header(model, c);
  if (c.steps > 0) {
    const std::vector<std::string> layers = SplitAtCommas(model.topology);
    const uint64_t named_ns = c.embed_ns + c.rope_mask_ns + c.layers_ns + c.head_ns;
    text += fmt::format("\n{:<27}{:>11}{:>13}{:>9}{:>11}\n", "part", "total ms", "ms a step",
                        "share", "GB/s");
    text += Line("step", c.step_ns, c, c.layers_bytes_read + c.head_bytes_read);
    text += Line("  embedding", c.embed_ns, c);
    text += Line("  rotary tables", c.rope_mask_ns, c);
    text += Line("  layers", c.layers_ns, c, c.layers_bytes_read);
    for (size_t i = 0; i < c.layer_shard_ns.size(); ++i) {
      text += Line(fmt::format("    layers {}", i < layers.size() ? layers[i] : "?"),
                   c.layer_shard_ns[i], c);
    }
    text += Line("  head", c.head_ns, c);
    text += Line("    projection", c.head_predict_ns, c, c.head_bytes_read);
    for (size_t i = 0; i < c.head_shard_ns.size(); ++i) {
      text += Line(fmt::format("      shard {}", i), c.head_shard_ns[i], c);
    }
    text += Line("    selection", c.head_reduce_ns, c);
    text += Line("  other", c.step_ns - std::min(named_ns, c.step_ns), c);
  }
  text += MeetingsLine(c);
  text += SpeculationLine("speculation", c.speculation);
  text += SpeculationLine("lookup would give", c.probe);
  text += fmt::format("\nhead skipped for {}",
                      Plural(c.head_skipped - c.forced_tokens, "prompt token"));
  if (c.forced_tokens > 0) {
    text +=
        fmt::format(" and {} that a grammar left no choice for", Plural(c.forced_tokens, "token"));
  }
  const uint64_t all_rows =
      static_cast<uint64_t>(model.vocab_size) * (c.step_tokens + c.forced_tokens);
  if (c.head_rows_computed > 0 && c.head_rows_computed < all_rows) {
    text += fmt::format("; {:.1f} % of the tokens' rows computed",
                        Percent(c.head_rows_computed, all_rows));
  }
  if (c.head_switched_to_full > 0) {
    text += fmt::format("; {} by the full head, since too many fell back",
                        Plural(c.head_switched_to_full, "token"));
  }
  if (c.cache_rebuilds > 0)
    text += fmt::format("; cache rebuilt {}", Plural(c.cache_rebuilds, "time"));
  text += fmt::format("; hash of the last logits {:016x}\n", c.logits_hash);
  return text;
}

}  // namespace headway::cli

// The HTML page.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "lab/append.h"
#include "lab/page_figures.h"
#include "lab/page_style.h"
#include "lab/plot.h"
#include "lab/report.h"
#include "lab/topology_search.h"
#include "lab/words.h"

namespace headway::lab {
namespace {

void AppendHead(const Spec& spec, const Results& results, std::string* out) {
  Append(out,
         "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<h1>{}</h1>\n",
         Escape(spec.title), kPageStyle, Escape(spec.title));
  Append(
      out,
      "<p class=\"about\">{} &middot; {} layers, hidden size {}, vocabulary of {} tokens &middot; "
      "{}, {} threads &middot; {} &middot; headway {}</p>\n",
      Escape(results.model_name), results.num_layers, results.hidden_size, results.vocab_size,
      Escape(results.machine), results.threads, Escape(results.date), Escape(results.version));
  Append(out, "<p>{}</p>\n<h2>In short</h2>\n<ul>\n", Escape(spec.intent));
  for (const std::string& sentence : Findings(spec, results))
    Append(out, "<li>{}</li>\n", Escape(sentence));
  constexpr size_t kShown = 3;
  const std::vector<std::string> surprises = Surprises(spec, results);
  for (size_t i = 0; i < std::min(kShown, surprises.size()); ++i)
    Append(out, "<li><b>Not as expected.</b> {}.</li>\n", Escape(surprises[i]));
  if (surprises.size() > kShown)
    Append(out, "<li>{} more are not as expected.</li>\n", surprises.size() - kShown);
  Append(out, "</ul>\n");
  const int done = RoundsDone(results);
  if (done < spec.repeats && !Measured(results).empty())
    Append(out, "<p class=\"fail\">Unfinished: {} of {} rounds.</p>\n", done, spec.repeats);
}

std::string StyleOf(const Spec& spec, const Results& results, const VariantResult& variant) {
  const Comparison comparison = Compare(spec, results, variant);
  if (comparison.verdict != Verdict::kNone) return ToString(comparison.verdict);
  return variant.status == Status::kFailedGate ? "fail" : "tied";
}

void AppendTable(const Spec& spec, const Results& results, std::string* out) {
  Append(out,
         "<h2>Every variant</h2>\n<div class=\"wide\"><table>\n<tr><th>variant</th><th>what it "
         "is</th><th>verdict</th><th>{}</th><th>ratio to {}, 95&nbsp;% interval</th><th>head reads"
         "</th><th>same tokens</th></tr>\n",
         Escape(MetricName(spec.metric)), Escape(spec.baseline));
  for (const VariantResult& variant : results.variants) {
    const Comparison comparison = Compare(spec, results, variant);
    const bool measured = comparison.verdict != Verdict::kNone;
    const bool judged = measured && comparison.verdict != Verdict::kBaseline;
    Append(out,
           "<tr><td>{}</td><td>{}</td><td><b class=\"{}\">{}</b></td><td class=\"number\">{}</td>"
           "<td class=\"number\">{}</td><td class=\"number\">{}</td><td>{}</td></tr>\n",
           Escape(variant.spec.name), Escape(Describe(variant.spec)),
           StyleOf(spec, results, variant), Escape(Outcome(spec, results, variant)),
           measured ? Time(comparison.ns.median) : "", judged ? Ratio(comparison.ratio) : "",
           measured ? Bytes(Median(variant, &Sample::head_bytes)) : "",
           SameTokens(spec, results, variant));
  }
  Append(out, "</table></div>\n");
}

void AppendGateSection(const Results& results, std::string* out) {
  Append(out,
         "<h2>Gates</h2>\n<p>No variant is timed before it has shown that it runs where it should "
         "(residency), computes what its weights say (arithmetic, against double precision) and is "
         "still the model in the file (quality, against a separate program).</p>\n<div "
         "class=\"wide\"><table>\n<tr><th>variant</th><th>gate</th><th>result</th><th>basis</th>"
         "<th>detail</th></tr>\n");
  for (const VariantResult& variant : results.variants) {
    for (const GateRecord& record : variant.gates) {
      Append(out,
             "<tr><td>{}</td><td>{}</td><td><b class=\"{}\">{}</b></td><td>{}</td><td>{}</td></tr>"
             "\n",
             &record == &variant.gates.front() ? Escape(variant.spec.name) : "",
             Escape(record.gate),
             record.passed     ? "better"
             : record.Failed() ? "fail"
                               : "",
             record.Verdict(), Escape(record.basis), Escape(record.detail));
    }
    if (variant.gates.empty())
      Append(out, "<tr><td>{}</td><td></td><td>{}</td><td></td><td>{}</td></tr>\n",
             Escape(variant.spec.name), ToString(variant.status), Escape(variant.reason));
  }
  Append(out, "</table></div>\n");
}

void AppendOps(const Results& results, std::string* out) {
  std::string rows;
  for (const VariantResult& variant : results.variants) {
    const bool predicted =
        std::any_of(variant.gates.begin(), variant.gates.end(),
                    [](const GateRecord& record) { return record.basis == "predicted"; });
    if (!predicted) continue;
    for (const ShardFacts& shard : variant.shards) {
      Append(&rows,
             "<tr><td>{}</td><td>{}</td><td>{} [{}, {})</td><td class=\"number\">{} of {}</td><td "
             "class=\"number\">{}</td></tr>\n",
             &shard == &variant.shards.front() ? Escape(variant.spec.name) : "", Escape(shard.name),
             shard.is_head ? "rows" : "layers", shard.begin, shard.end, shard.resident, shard.ops,
             Bytes(static_cast<double>(shard.bytes)));
    }
  }
  if (rows.empty()) return;
  Append(
      out,
      "<h2>Compute ops of each program</h2>\n<p>Predicted from rules with sources, not measured: "
      "this machine has no such device.</p>\n<div class=\"wide\"><table>\n<tr><th>variant</th>"
      "<th>program</th><th>holds</th><th>on the accelerator</th><th>size</th></tr>\n{}</table>"
      "</div>\n",
      rows);
}

void AppendTopologySection(const Results& results, std::string* out) {
  const TopologyFinding finding = SearchTopology(results);
  Append(out, "<h2>The cheapest way to cut the layers</h2>\n<p>{}",
         CoverInWords(finding, {"<code>", "</code>"}, {"<b>", "</b>"}));
  Append(out,
         "</p>\n<div class=\"wide\"><table>\n<tr><th>shard</th><th>time a token</th><th>a layer"
         "</th></tr>\n");
  for (const ShardEdge& edge : finding.measured) {
    Append(out,
           "<tr><td>layers [{}, {})</td><td class=\"number\">{}</td><td class=\"number\">{}</td>"
           "</tr>\n",
           edge.begin, edge.end, Time(edge.ns),
           Time(edge.ns / static_cast<double>(edge.end - edge.begin)));
  }
  for (const ShardEdge& edge : finding.failed)
    Append(out, "<tr><td>layers [{}, {})</td><td class=\"fail\">failed a gate</td><td></td></tr>\n",
           edge.begin, edge.end);
  Append(out, "</table></div>\n");
}

void AppendMethod(const Spec& spec, const Results& results, std::string* out) {
  Append(out,
         "<h2>How this was measured</h2>\n<p>All variants were open at once and took turns: each "
         "decoded {} tokens after a context of {}, then the next one, {} rounds after {} of "
         "warm-up. Compared are times of the same round, so that a slow moment of the machine hits "
         "all of them alike. The interval is that of order statistics, 95 % or as near as the "
         "number of rounds allows. &ldquo;Better&rdquo; means that the whole interval lies below "
         "{:.3g}, &ldquo;worse&rdquo; above {:.3g}; everything else is a tie.",
         spec.tokens, spec.context, RoundsDone(results), spec.warm_up, 1 - spec.at_least,
         1 + spec.at_least);
  if (!results.bandwidth.empty())
    Append(out, " Memory bandwidth, measured in every round: {:.1f} GB/s.",
           measure::Summarise(results.bandwidth).median * 1e-9);
  Append(
      out,
      "</p>\n<h2>Words</h2>\n<dl>\n"
      "<dt>LM head</dt><dd>The last step of a language model: the hidden state is multiplied "
      "with one row of weights for every token of the vocabulary, and the best token is the next "
      "one.</dd>\n"
      "<dt>full:N</dt><dd>All rows are multiplied, in N parts called head shards.</dd>\n"
      "<dt>top1, blockmax, top1-fp16</dt><dd>Head shards that find the best token, or the best of "
      "each block of rows, themselves, so that less is left to the selection after them.</dd>\n"
      "<dt>certified</dt><dd>Bounds all rows from a few bits each and multiplies only those that "
      "can still win. Exact: the same token, proved.</dd>\n"
      "<dt>6 layers a shard</dt><dd>The model&rsquo;s layers fused in groups of six; "
      "<code>0:8,8:12</code> names the groups one by one.</dd>\n"
      "<dt>same tokens</dt><dd>Whether the variant decoded exactly the baseline&rsquo;s "
      "tokens.</dd>\n</dl>\n");
  if (!spec.references.empty()) {
    Append(out, "<h2>References</h2>\n<ul>\n");
    for (const std::string& reference : spec.references)
      Append(out, "<li>{}</li>\n", Escape(reference));
    Append(out, "</ul>\n");
  }
}

}  // namespace

std::string HtmlPage(const Spec& spec, const Results& results) {
  std::string out;
  AppendHead(spec, results, &out);
  AppendTable(spec, results, &out);
  AppendRatios(spec, results, &out);
  if (spec.metric != Metric::kLayers) AppendHeads(results, &out);
  AppendShards(spec, results, &out);
  AppendSteps(results, &out);
  if (spec.search_topology) AppendTopologySection(results, &out);
  AppendGateSection(results, &out);
  AppendOps(results, &out);
  AppendMethod(spec, results, &out);
  return out + "</body>\n</html>\n";
}

}  // namespace headway::lab

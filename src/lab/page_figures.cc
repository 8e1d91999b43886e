#include "lab/page_figures.h"

#include <algorithm>

#include "lab/append.h"
#include "lab/plot.h"
#include "lab/words.h"

namespace headway::lab {
namespace {

void Figure(const std::string& title, const std::string& caption, const std::string& drawing,
            std::string* out) {
  if (drawing.empty()) return;
  std::string sentence = Escape(caption);
  if (!sentence.empty() && sentence[0] >= 'a' && sentence[0] <= 'z')
    sentence[0] = static_cast<char>(sentence[0] - 'a' + 'A');
  Append(out, "<h2>{}</h2>\n<figure>\n<figcaption>{}</figcaption>\n{}</figure>\n", Escape(title),
         sentence, drawing);
}

// Median time of each shard of a kind.
std::vector<double> ShardMedians(const VariantResult& variant, std::vector<double> Sample::*field) {
  std::vector<double> medians;
  const size_t count = (variant.samples.front().*field).size();
  for (size_t i = 0; i < count; ++i) {
    std::vector<double> values;
    for (const Sample& sample : variant.samples) values.push_back((sample.*field)[i]);
    medians.push_back(measure::Summarise(values).median);
  }
  return medians;
}

}  // namespace

std::vector<const VariantResult*> Measured(const Results& results) {
  std::vector<const VariantResult*> measured;
  for (const VariantResult& variant : results.variants) {
    if (variant.status == Status::kReady && !variant.samples.empty()) measured.push_back(&variant);
  }
  return measured;
}

void AppendRatios(const Spec& spec, const Results& results, std::string* out) {
  std::vector<Interval> intervals;
  for (const VariantResult* variant : Measured(results)) {
    const Comparison comparison = Compare(spec, results, *variant);
    if (comparison.verdict == Verdict::kNone) continue;
    intervals.push_back({.label = variant->spec.name,
                         .low = comparison.ratio.low,
                         .middle = comparison.ratio.median,
                         .high = comparison.ratio.high,
                         .text = comparison.verdict == Verdict::kBaseline
                                     ? "baseline"
                                     : fmt::format("{:.3f}  {}", comparison.ratio.median,
                                                   ToString(comparison.verdict)),
                         .style = ToString(comparison.verdict)});
  }
  if (intervals.size() < 2) return;
  Figure("Against the baseline",
         fmt::format("{} divided by that of {} in the same round. The dot is the median over {} "
                     "rounds, the line a 95 % interval of it. Left of the dashed line is faster.",
                     MetricName(spec.metric), spec.baseline, RoundsDone(results)),
         Intervals("Ratios to the baseline", intervals, 1.0), out);
}

void AppendHeads(const Results& results, std::string* out) {
  std::vector<Bar> split;
  std::vector<Bar> bytes;
  for (const VariantResult* variant : Measured(results)) {
    const double predict = Median(*variant, &Sample::predict_ns);
    const double reduce = Median(*variant, &Sample::reduce_ns);
    split.push_back({.label = variant->spec.name,
                     .segments = {{predict, 0, "projection " + Time(predict)},
                                  {reduce, 1, "selection " + Time(reduce)}},
                     .text = fmt::format("{} + {}", Time(predict), Time(reduce))});
    const double head = Median(*variant, &Sample::head_bytes);
    const double layers = Median(*variant, &Sample::layers_bytes);
    bytes.push_back(
        {.label = variant->spec.name,
         .segments = {{head, 0, "head " + Bytes(head)}, {layers, 2, "layers " + Bytes(layers)}},
         .text = fmt::format("{} + {}", Bytes(head), Bytes(layers))});
  }
  Figure("Where the head's time goes",
         "A token, medians. Projection multiplies the hidden state with the vocabulary's rows "
         "(screening and rescoring included); selection finds the best token among the results.",
         Bars("Head time", split, {"projection", "selection"}), out);
  Figure("Bytes of weights read a token",
         "What the memory must deliver for each token. With several tokens a step one reading "
         "serves them all.",
         Bars("Bytes a token", bytes, {"head", "", "layers"}), out);
}

void AppendSteps(const Results& results, std::string* out) {
  std::vector<Bar> bars;
  for (const VariantResult* variant : Measured(results)) {
    const double step = Median(*variant, &Sample::step_ns);
    const double layers = Median(*variant, &Sample::layers_ns);
    const double predict = Median(*variant, &Sample::predict_ns);
    const double reduce = Median(*variant, &Sample::reduce_ns);
    const double input = Median(*variant, &Sample::embed_ns) + Median(*variant, &Sample::rotary_ns);
    const double other = std::max(0.0, step - layers - predict - reduce - input);
    bars.push_back({.label = variant->spec.name,
                    .segments = {{predict, 0, "projection " + Time(predict)},
                                 {reduce, 1, "selection " + Time(reduce)},
                                 {layers, 2, "layers " + Time(layers)},
                                 {input, 3, "embedding and rotary tables " + Time(input)},
                                 {other, 5, "other " + Time(other)}},
                    .text = fmt::format("{}, {:.0f} tokens/s", Time(step), 1e9 / step)});
  }
  Figure("Where a step's time goes", "One decoded token, medians over all rounds.",
         Bars("Step time", bars,
              {"head: projection", "head: selection", "layers", "embedding and rotary tables", "",
               "other"}),
         out);
}

void AppendShards(const Spec& spec, const Results& results, std::string* out) {
  const bool layers = spec.metric == Metric::kLayers;
  std::vector<Bar> bars;
  for (const VariantResult* variant : Measured(results)) {
    Bar bar{.label = variant->spec.name, .segments = {}, .text = ""};
    const std::vector<double> medians =
        ShardMedians(*variant, layers ? &Sample::layer_shard_ns : &Sample::head_shard_ns);
    for (size_t i = 0; i < medians.size(); ++i) {
      bar.segments.push_back({.value = medians[i],
                              .colour = i % 2 == 0 ? 0 : 4,
                              .title = fmt::format("shard {}: {}", i, Time(medians[i]))});
    }
    bar.text = fmt::format("{} shard{}", medians.size(), medians.size() == 1 ? "" : "s");
    bars.push_back(std::move(bar));
  }
  Figure("Work of each shard",
         fmt::format("Median time a token of each {} shard, end to end; shards run one after "
                     "another, each on all threads.",
                     layers ? "layer" : "head"),
         Bars("Shards", bars, {}), out);
}

}  // namespace headway::lab

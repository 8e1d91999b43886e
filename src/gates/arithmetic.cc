// The arithmetic half of the golden gate.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "gates/golden.h"
#include "gates/stack.h"
#include "gates/thresholds.h"

namespace headway::gates {
namespace {

std::span<const float> RowsFrom(const float* begin, int64_t rows, int64_t channels) {
  return {begin, static_cast<size_t>(rows * channels)};
}

std::string ProblemOf(const Difference& d, double relative, double channel, double cosine) {
  if (d.not_finite > 0)
    return fmt::format("expected finite values, found {} that are NaN or infinite", d.not_finite);
  if (d.worst_channel > channel) {
    return fmt::format("channel {}: expected an error of at most {:.2g} of its size, found {:.2g}",
                       d.channel, channel, d.worst_channel);
  }
  if (d.relative > relative)
    return fmt::format("expected an error of at most {:.2g} RMS, found {:.2g}", relative,
                       d.relative);
  if (d.cosine < cosine)
    return fmt::format("expected a cosine of at least {}, found {:.6f}", cosine, d.cosine);
  return "";
}

// Rows [begin, begin + rows) of the probes' results.
std::vector<float> SliceRows(const ProductGolden& golden, int64_t begin, int64_t rows) {
  std::vector<float> y;
  for (int64_t p = 0; p < kProbes; ++p) {
    const auto first = golden.y.begin() + p * golden.rows + begin;
    y.insert(y.end(), first, first + rows);
  }
  return y;
}

// The rows `ids` of the probes' results.
std::vector<float> PickRows(const ProductGolden& golden, std::span<const int32_t> ids) {
  std::vector<float> y;
  for (int64_t p = 0; p < kProbes; ++p)
    for (const int32_t id : ids) y.push_back(golden.y[static_cast<size_t>(p * golden.rows + id)]);
  return y;
}

// All products of a shard; the check shows the worst one. `first_ids`: the rows of the model's
// matrix that the shard's are, when they are not consecutive.
Result<void> CheckProducts(const LoadedShard& shard, const std::string& name,
                           const Goldens& goldens, std::vector<Check>* checks,
                           std::span<const int32_t> first_ids = {}) {
  const ProductProbe* const probe = shard.Probe();
  if (probe == nullptr) return {};
  const std::vector<Product> products = probe->Products();
  Check check{.subject = fmt::format("{}, {} products", name, products.size()),
              .difference = {},
              .problem = ""};
  for (size_t i = 0; i < products.size(); ++i) {
    const Product& product = products[i];
    const ProductGolden* golden = goldens.Find(product.weight);
    if (golden == nullptr || golden->columns != product.columns ||
        golden->rows < product.row_begin + product.rows) {
      return Fail(ErrorCode::kCorrupt,
                  fmt::format("goldens: expected the product of {} with rows [{}, {}) of {}, found "
                              "none",
                              product.weight, product.row_begin, product.row_begin + product.rows,
                              product.columns));
    }
    const std::vector<float> x = ProbeInputs(product.weight, product.columns);
    std::vector<float> y(static_cast<size_t>(kProbes * product.rows));
    probe->RunProduct(i, kProbes, x.data(), y.data());
    const std::vector<float> expected = first_ids.empty()
                                            ? SliceRows(*golden, product.row_begin, product.rows)
                                            : PickRows(*golden, first_ids);
    const Difference d = Measure(y, expected, {}, product.rows, kQuietProduct);
    const std::string problem = ProblemOf(d, kProductChannel, kProductChannel, kCosine);
    if (check.problem.empty() && !problem.empty())
      check.problem = fmt::format("{}: {}", product.weight, problem);
    if (d.not_finite > check.difference.not_finite ||
        d.worst_channel >= check.difference.worst_channel)
      check.difference = d;
  }
  checks->push_back(std::move(check));
  return {};
}

Result<void> CheckLayers(Pipeline* pipeline, const Goldens& goldens, const Expected& expectations,
                         std::vector<Check>* checks) {
  const int64_t T = goldens.NumTokens();
  const int64_t D = goldens.hidden_size;
  for (size_t i = 0; i < pipeline->Layers().size(); ++i) {
    const LayerShard& spec = pipeline->manifest().layers[i];
    LoadedLayerShard* const shard = pipeline->Layers()[i].get();
    const auto before = RowsFrom(expectations.boundaries[i].data(), T, D);
    const auto expected = RowsFrom(expectations.boundaries[i + 1].data(), T, D);
    const auto add = [&](int64_t step, const char* how) -> Result<void> {
      HW_TRY(const std::vector<float> found, RunLayerShard(shard, pipeline->model(), before, step));
      const Difference d = Measure(found, expected, before, D, kQuietShard);
      checks->push_back({.subject = fmt::format("{}, {}", spec.file.path, how),
                         .difference = d,
                         .problem = ProblemOf(d, kShardRelative, kShardChannel, kCosine)});
      return {};
    };
    // Programs of one width do the same either way.
    const bool one_width =
        spec.wider.empty() && spec.file.tokens.find_first_of(",.") == std::string::npos;
    const bool same = pipeline->device().traits.fixed_widths && one_width;
    if (shard->MaxTokens() > 1 && !same) HW_TRY_VOID(add(T, "all at once"));
    HW_TRY_VOID(add(1, "one by one"));
  }
  return {};
}

Result<void> CheckHead(Pipeline* pipeline, const Goldens& goldens, const Expected& expectations,
                       const std::vector<float>& logits, std::vector<Check>* checks) {
  const int64_t T = goldens.NumTokens();
  const LoadedHead& head = pipeline->Head();
  const auto hidden = RowsFrom(expectations.boundaries.back().data(), T, goldens.hidden_size);
  for (size_t i = 0; i < head.shards.size(); ++i) {
    const HeadShard& spec = head.specs[i];
    const int64_t width = spec.vocab_end - spec.vocab_start;
    std::vector<float> expected;
    for (int64_t t = 0; t < T; ++t) {
      const auto first = logits.begin() + t * goldens.vocab_size + spec.vocab_start;
      expected.insert(expected.end(), first, first + width);
    }
    HW_TRY(const std::vector<float> found,
           RunHeadShard(head.shards[i].get(), pipeline->model(), hidden, width));
    const Difference d = Measure(found, expected, {}, width, kQuietShard);
    checks->push_back({.subject = spec.file.path,
                       .difference = d,
                       .problem = ProblemOf(d, kShardRelative, kShardChannel, kCosine)});
  }
  return {};
}

// What a head chooses must be the oracle's best token, or as good as it.
Result<void> CheckChoices(OpenedModel* model, const std::shared_ptr<Pipeline>& pipeline,
                          const Goldens& goldens, const std::vector<float>& logits,
                          std::vector<Check>* checks) {
  constexpr int64_t kMostSteps = 16;  // decode steps run layers and head for every position
  const int64_t count = std::min(kMostSteps, goldens.NumTokens());
  const auto choices = Choices(*model, pipeline, goldens.ids, count);
  Check check{.subject = fmt::format("head {}, {} choices", pipeline->Head().kind, count),
              .difference = {},
              .problem = ""};
  if (!choices) {  // values that are not finite stop a session
    if (choices.error().code != ErrorCode::kCorrupt) return tl::unexpected<Error>(choices.error());
    check.difference.not_finite = 1;
    check.problem = choices.error().message;
    checks->push_back(std::move(check));
    return {};
  }
  for (int64_t t = 0; t < count; ++t) {
    const auto first = logits.begin() + t * goldens.vocab_size;
    const auto last = first + goldens.vocab_size;
    double sum = 0;
    double squares = 0;
    for (auto logit = first; logit != last; ++logit) {
      sum += static_cast<double>(*logit);
      squares += static_cast<double>(*logit) * static_cast<double>(*logit);
    }
    const auto n = static_cast<double>(goldens.vocab_size);
    const double spread = std::sqrt(std::max(squares / n - sum / n * (sum / n), 0.0));
    const double behind = static_cast<double>(*std::max_element(first, last)) -
                          static_cast<double>(first[choices->at(static_cast<size_t>(t))]);
    check.difference.largest = std::max(check.difference.largest, behind);
    if (behind > kTieOfSpread * spread && check.problem.empty()) {
      check.problem = fmt::format(
          "position {}: expected the best token, found {}, whose logit is {:.3g} below it", t,
          choices->at(static_cast<size_t>(t)), behind);
    }
  }
  checks->push_back(std::move(check));
  return {};
}

Result<void> CheckStack(const Heads& heads, const Goldens& goldens, const Expected& expectations,
                        std::vector<Check>* checks) {
  Pipeline* pipeline = heads.front().get();
  const int64_t T = goldens.NumTokens();
  const int64_t D = goldens.hidden_size;
  HW_TRY(const std::vector<float> hidden, RunLayers(pipeline, goldens.ids));
  const Difference d =
      Measure(hidden, RowsFrom(expectations.boundaries.back().data(), T, D),
              RowsFrom(expectations.boundaries.front().data(), T, D), D, kQuietShard);
  checks->push_back({.subject = "whole stack, hidden states",
                     .difference = d,
                     .problem = ProblemOf(d, kStackRelative, 4 * kStackRelative, kCosine)});
  for (size_t i = 0; i < heads.size(); ++i) {
    const std::string& kind = heads[i]->Head().kind;
    if (!GivesLogits(kind)) continue;
    HW_TRY(const std::vector<float> logits, RunHead(heads[i].get(), hidden));
    const Difference l =
        Measure(logits, expectations.logits[i], {}, goldens.vocab_size, kQuietShard);
    checks->push_back({.subject = fmt::format("whole stack, logits of {}", kind),
                       .difference = l,
                       .problem = ProblemOf(l, kStackRelative, 4 * kStackRelative, kCosine)});
  }
  return {};
}

}  // namespace

Result<std::vector<Check>> CompareArithmetic(OpenedModel* model, const Heads& heads,
                                             const Goldens& goldens) {
  std::vector<Check> checks;
  Pipeline* pipeline = heads.front().get();
  HW_TRY(const Expected expectations, Expect(heads, goldens));
  for (size_t i = 0; i < pipeline->Layers().size(); ++i) {
    HW_TRY_VOID(CheckProducts(*pipeline->Layers()[i], pipeline->manifest().layers[i].file.path,
                              goldens, &checks));
  }
  HW_TRY_VOID(CheckStoredRows(model, heads, goldens, &checks));
  HW_TRY_VOID(CheckLayers(pipeline, goldens, expectations, &checks));
  for (size_t h = 0; h < heads.size(); ++h) {
    const auto& head = heads[h];
    const std::vector<float>& logits = expectations.logits[h];
    const LoadedHead& loaded = head->Head();
    for (size_t i = 0; i < loaded.shards.size(); ++i) {
      HW_TRY_VOID(CheckProducts(*loaded.shards[i], loaded.specs[i].file.path, goldens, &checks));
    }
    if (loaded.first) {
      HW_TRY_VOID(CheckProducts(*loaded.first, FirstRowsPath(*pipeline, loaded.kind), goldens,
                                &checks, loaded.first_ids));
    }
    const bool screened = loaded.shards.front()->Screen() != nullptr;
    if (GivesLogits(loaded.kind) || screened)
      HW_TRY_VOID(CheckHead(head.get(), goldens, expectations, logits, &checks));
    if (loaded.planes) checks.push_back(CheckPlanesOf(*model, head.get()));
    if (screened) HW_TRY_VOID(CheckEstimates(head.get(), expectations.boundaries.back(), &checks));
    HW_TRY_VOID(CheckChoices(model, head, goldens, logits, &checks));
  }
  HW_TRY_VOID(CheckStack(heads, goldens, expectations, &checks));
  CheckIntermediates(heads, &checks);
  return checks;
}

}  // namespace headway::gates

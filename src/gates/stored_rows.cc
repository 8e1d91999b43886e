#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "engine/stored_weights.h"
#include "gates/golden.h"
#include "gates/thresholds.h"

namespace headway::gates {
namespace {

bool SharesTables(const std::string& weights) { return weights.rfind("lut", 0) == 0; }

// The goldens' rows [begin, begin + rows) of a matrix.
oracle::RowProbes SliceOf(const ProductGolden& golden, int64_t begin, int64_t rows) {
  oracle::RowProbes slice;
  for (int64_t p = 0; p < kProbes; ++p) {
    const auto first = golden.y.begin() + p * golden.rows + begin;
    slice.y.insert(slice.y.end(), first, first + rows);
  }
  slice.norms.assign(golden.norms.begin() + begin, golden.norms.begin() + begin + rows);
  return slice;
}

// Estimates of each row's |stored - source|, relative to the larger of the row's own size and
// `quiet` of the average row's. A probe value lies in [-1, 1) with variance 1/3, so that the
// products of an error e with P of them have the mean square |e|^2 / 3.
std::vector<double> RowErrors(const oracle::RowProbes& stored, const oracle::RowProbes& source,
                              const std::vector<double>& sizes) {
  const size_t rows = sizes.size();
  std::vector<double> errors(rows);
  for (size_t r = 0; r < rows; ++r) {
    double sum = 0;
    for (size_t p = 0; p < static_cast<size_t>(kProbes); ++p) {
      const double d =
          static_cast<double>(stored.y[p * rows + r]) - static_cast<double>(source.y[p * rows + r]);
      sum += d * d;
    }
    errors[r] = std::sqrt(3 * sum / static_cast<double>(kProbes)) / sizes[r];
  }
  return errors;
}

// The typical row's error, whatever a few rows do: the squares follow an exponential distribution
// for two probes, whose median is ln 2 of its mean.
double TypicalError(std::vector<double> errors) {
  const auto middle = errors.begin() + static_cast<int64_t>(errors.size() / 2);
  std::nth_element(errors.begin(), middle, errors.end());
  return *middle / std::sqrt(std::log(2.0));
}

struct StoredProgram {
  std::string name;
  std::string problem;  // when it is of other layers or tokens than the manifest says
  StoredShard stored;
};

// All matrices of one program.
Result<Check> CheckProgram(const StoredProgram& program, const Goldens& goldens,
                           const std::string& weights, ThreadPool* pool) {
  Check check{.subject = "", .difference = {}, .problem = program.problem};
  size_t matrices = 0;
  for (const graph::Weight& weight : program.stored.graph.weights) {
    if (weight.shape.Rank() != 2) continue;
    ++matrices;
    const int64_t rows = weight.shape.Rows();
    const int64_t columns = weight.shape.Columns();
    const ProductGolden* golden = goldens.Find(weight.name);
    if (golden == nullptr || golden->columns != columns || golden->rows < weight.row_begin + rows) {
      return Fail(ErrorCode::kCorrupt,
                  fmt::format("goldens: expected rows [{}, {}) of {}, {} wide, found none",
                              weight.row_begin, weight.row_begin + rows, weight.name, columns));
    }
    HW_TRY(const oracle::RowProbes stored,
           oracle::ProbeRows(program.stored.weights, weight.name, weight.row_begin, rows, columns,
                             pool));
    Difference d;
    const std::string problem =
        JudgeRows(stored, SliceOf(*golden, weight.row_begin, rows), columns, weights, &d);
    if (check.problem.empty() && !problem.empty())
      check.problem = fmt::format("{}: {}", weight.name, problem);
    if (d.not_finite > check.difference.not_finite ||
        d.worst_channel >= check.difference.worst_channel)
      check.difference = d;
  }
  check.subject = fmt::format("{}, stored rows of {} matri{}", program.name, matrices,
                              matrices == 1 ? "x" : "ces");
  return check;
}

Result<StoredProgram> OpenLayers(const Pipeline& pipeline, const LayerShard& shard,
                                 const FileEntry& file) {
  const std::filesystem::path directory = pipeline.Directory();
  HW_TRY(StoredShard stored,
         pipeline.device().open_stored((directory / file.path).string(), "", ""));
  const int64_t begin = stored.graph.nodes.front().stage;
  const int64_t end = stored.graph.nodes.back().stage + 1;
  StoredProgram program{.name = file.path, .problem = "", .stored = std::move(stored)};
  if (begin != shard.start || end != shard.end)
    program.problem =
        fmt::format("expected layers [{}, {}), found [{}, {})", shard.start, shard.end, begin, end);
  return program;
}

Result<StoredProgram> OpenHead(const Pipeline& pipeline, const HeadSpec& spec, HeadShard shard,
                               const FileEntry& file) {
  shard.file = file;
  HW_TRY(StoredShard stored,
         OpenStoredHead(pipeline.device(), pipeline.Directory(), pipeline.manifest(), spec, shard));
  const graph::Graph& graph = stored.graph;
  const graph::Weight& matrix =
      graph.weights[static_cast<size_t>(graph.nodes.back().weights.front())];
  const int64_t begin = matrix.row_begin;
  const int64_t end = begin + matrix.shape.Rows();
  StoredProgram program{.name = file.path, .problem = "", .stored = std::move(stored)};
  if (begin != shard.vocab_start || end != shard.vocab_end)
    program.problem = fmt::format("expected tokens [{}, {}), found [{}, {})", shard.vocab_start,
                                  shard.vocab_end, begin, end);
  return program;
}

// The shard's own file and those of other widths.
template <class Shard>
std::vector<const FileEntry*> ProgramsOf(const Shard& shard) {
  std::vector<const FileEntry*> files = {&shard.file};
  for (const FileEntry& file : shard.wider) files.push_back(&file);
  return files;
}

}  // namespace

std::string JudgeRows(const oracle::RowProbes& stored, const oracle::RowProbes& source,
                      int64_t columns, const std::string& weights, Difference* difference) {
  const size_t rows = source.norms.size();
  double squares = 0;
  for (size_t r = 0; r < rows; ++r) {
    bool finite = std::isfinite(stored.norms[r]);
    for (size_t p = 0; p < static_cast<size_t>(kProbes); ++p)
      finite = finite && std::isfinite(stored.y[p * rows + r]);
    difference->not_finite += finite ? 0 : 1;
    squares += static_cast<double>(source.norms[r]) * static_cast<double>(source.norms[r]);
  }
  if (difference->not_finite > 0)
    return fmt::format("expected finite rows, found {} with NaN or infinity",
                       difference->not_finite);
  const double quiet = SharesTables(weights) ? 1 : kQuietRow;
  constexpr double kNothing = 1e-30;  // all rows are zero
  const double least = std::max(kNothing, quiet * std::sqrt(squares / static_cast<double>(rows)));
  std::vector<double> sizes(rows);
  for (size_t r = 0; r < rows; ++r)
    sizes[r] = std::max(least, static_cast<double>(source.norms[r]));
  const std::vector<double> errors = RowErrors(stored, source, sizes);
  const double noise = TypicalError(errors);
  difference->relative = noise;
  for (size_t r = 0; r < rows; ++r) {
    const double off =
        std::abs(static_cast<double>(stored.norms[r]) - static_cast<double>(source.norms[r])) /
        sizes[r];
    if (off <= difference->worst_channel && difference->channel >= 0) continue;
    difference->worst_channel = off;
    difference->channel = static_cast<int64_t>(r);
  }
  if (noise > MostRowNoise(weights))
    return fmt::format("expected rows in {} within {:.2g} of the model file's, found {:.2g}",
                       weights.empty() ? "the file's own form" : weights, MostRowNoise(weights),
                       noise);
  const double spread =
      SharesTables(weights)
          ? kTableNorm * noise
          : 2 * noise * noise + kRowNormSpread * noise / std::sqrt(static_cast<double>(columns));
  const double norm_limit = kRowNorm + spread;
  if (difference->worst_channel > norm_limit)
    return fmt::format(
        "channel {}: expected a row whose norm is within {:.2g} of the model "
        "file's, found {:.2g}",
        difference->channel, norm_limit, difference->worst_channel);
  const auto worst = std::max_element(errors.begin(), errors.end());
  const double row_limit = kRowError + kRowErrorSpread * noise;
  if (*worst > row_limit)
    return fmt::format("channel {}: expected a row within {:.2g} of the model file's, found {:.2g}",
                       worst - errors.begin(), row_limit, *worst);
  return "";
}

Result<void> CheckStoredRows(OpenedModel* model, const Heads& heads, const Goldens& goldens,
                             std::vector<Check>* checks) {
  const Pipeline& first = *heads.front();
  const Manifest& manifest = first.manifest();
  if (!first.device().StoresOwnRows() || !goldens.HasRowNorms()) return {};
  const auto add = [&](const StoredProgram& program, const std::string& weights) -> Result<void> {
    HW_TRY(Check check, CheckProgram(program, goldens, weights, model->pool.get()));
    checks->push_back(std::move(check));
    return {};
  };
  for (const LayerShard& shard : manifest.layers) {
    for (const FileEntry* file : ProgramsOf(shard)) {
      HW_TRY(const StoredProgram program, OpenLayers(first, shard, *file));
      HW_TRY_VOID(add(program, manifest.weights));
    }
  }
  for (const auto& head : heads) {
    const HeadSpec& spec = *FindHead(manifest, head->Head().kind);
    for (const HeadShard& shard : spec.shards) {
      for (const FileEntry* file : ProgramsOf(shard)) {
        HW_TRY(const StoredProgram program, OpenHead(first, spec, shard, *file));
        // Where the host multiplies, it has the file's own rows.
        HW_TRY_VOID(add(program, spec.rows ? "" : manifest.weights));
      }
    }
  }
  return {};
}

}  // namespace headway::gates

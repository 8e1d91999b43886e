#include "lab/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "base/digest.h"
#include "base/file_writer.h"
#include "base/platform.h"
#include "base/progress.h"
#include "engine/open.h"
#include "gguf/split.h"
#include "headway/version.h"
#include "lab/decoder.h"
#include "lab/measure/bandwidth.h"
#include "lab/prepare.h"
#include "lab/report.h"
#include "lab/words.h"
#include "model/model.h"
#include "pack/pack.h"

namespace headway::lab {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMostSpecBytes = 1 << 20;
constexpr uint64_t kMostResultBytes = 1 << 28;

std::string Today() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  return fmt::format("{:04}-{:02}-{:02}", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday);
}

// "AMD EPYC 9R14, 2 processors, 24 GB"
std::string ThisMachine() {
  return fmt::format("{}, {} processors, {:.0f} GB", platform::ProcessorName(), DefaultThreads(),
                     static_cast<double>(platform::TotalMemoryBytes()) * 1e-9);
}

bool Cancelled(const RunOptions& options) {
  return options.cancelled_or_null != nullptr &&
         options.cancelled_or_null->load(std::memory_order_relaxed);
}

// As given, or beside the specification's folder: specifications name models from the repository's
// root.
std::string FindModel(const std::string& named, const std::string& spec_path) {
  std::error_code error;
  if (fs::exists(named, error)) return named;
  const fs::path beside = fs::absolute(spec_path, error).parent_path().parent_path() / named;
  return fs::exists(beside, error) ? beside.string() : named;
}

// The kept results when they are of this specification and model, else new ones.
Result<Results> BeginResults(const Spec& spec, const std::string& spec_digest,
                             const Workshop& workshop, const RunOptions& options) {
  const std::string path = (fs::path(options.directory) / kResultsFileName).string();
  if (const auto text = ReadTextFile(path, kMostResultBytes)) {
    auto kept = ResultsFromJson(*text, path);
    if (kept && kept->spec_digest == spec_digest && kept->model_digest == workshop.model_digest &&
        kept->variants.size() == spec.variants.size() && kept->version == kVersion)
      return *std::move(kept);
  }
  HW_TRY(const gguf::GgufFile file, gguf::GgufFile::Open(workshop.model));
  HW_TRY(const ModelConfig config, model::ReadModelConfig(file));
  HW_TRY(const auto kernels, kernels::SelectKernels(""));
  Results results;
  results.spec_digest = spec_digest;
  results.model_name = config.name;
  results.model_file = fs::path(workshop.model).filename().string();
  results.model_digest = workshop.model_digest;
  results.machine = options.machine.empty() ? ThisMachine() : options.machine;
  results.kernels = kernels.kernels.name;
  results.threads = spec.threads > 0 ? spec.threads : DefaultThreads();
  results.date = Today();
  results.version = kVersion;
  results.vocab_size = config.vocab_size;
  results.hidden_size = config.hidden_size;
  results.num_layers = config.num_hidden_layers;
  for (const VariantSpec& variant : spec.variants) {
    VariantResult result;
    result.spec = variant;
    results.variants.push_back(std::move(result));
  }
  return results;
}

Result<void> Save(const Spec& spec, const Results& results, const RunOptions& options) {
  return WriteTextFileAtomically((fs::path(options.directory) / kResultsFileName).string(),
                                 ToJson(spec, results));
}

tl::unexpected<Error> Interrupted(const std::string& done) {
  return Fail(ErrorCode::kCancelled,
              fmt::format("interrupted; {} kept, the same command goes on from there", done));
}

// A variant that may be measured, opened.
struct Runner {
  VariantResult* variant;
  std::unique_ptr<Decoder> decoder;
};

Result<std::vector<Runner>> OpenAll(const Spec& spec, const Workshop& workshop, Results* results) {
  std::vector<Runner> runners;
  for (VariantResult& variant : results->variants) {
    if (variant.status != Status::kReady) continue;
    auto decoder = OpenDecoder(spec, variant.spec, PackageOf(workshop, variant.spec));
    if (!decoder && decoder.error().code == ErrorCode::kUnsupported) {
      variant.status = Status::kNotAvailable;
      variant.reason = decoder.error().message;
      continue;
    }
    if (!decoder) return Prefixed(decoder.error(), variant.spec.name);
    runners.push_back({.variant = &variant, .decoder = *std::move(decoder)});
  }
  return runners;
}

Result<void> Measure(const Spec& spec, const Workshop& workshop, const RunOptions& options,
                     Results* results) {
  const int done = RoundsDone(*results);
  if (done >= spec.repeats) return {};
  // A round that did not finish is measured again as a whole: ratios are within rounds.
  for (VariantResult& variant : results->variants) {
    variant.samples.resize(std::min(variant.samples.size(), static_cast<size_t>(done)));
  }
  results->bandwidth.resize(std::min(results->bandwidth.size(), static_cast<size_t>(done)));
  HW_TRY(std::vector<Runner> runners, OpenAll(spec, workshop, results));
  if (runners.empty()) return {};
  HW_TRY(const auto pool, ThreadPool::Start(results->threads));
  measure::ReadBandwidth bandwidth(measure::kBandwidthBytes);
  const int rounds = spec.repeats - done + spec.warm_up;
  const size_t num_steps = static_cast<size_t>(rounds) * runners.size();
  Progress progress("measuring", num_steps, options.show_progress);
  uint64_t step = 0;
  for (int round = 0; round < rounds; ++round) {
    const double bytes_a_second = bandwidth.Measure(pool.get());
    std::vector<Sample> samples;
    for (Runner& runner : runners) {
      if (Cancelled(options))
        return Interrupted(fmt::format("{} of {} rounds are", RoundsDone(*results), spec.repeats));
      auto sample = runner.decoder->Round();
      if (!sample) return Prefixed(sample.error(), runner.variant->spec.name);
      samples.push_back(*std::move(sample));
      progress.Update(++step, runner.variant->spec.name);
    }
    if (round < spec.warm_up) continue;
    results->bandwidth.push_back(bytes_a_second);
    for (size_t i = 0; i < runners.size(); ++i)
      runners[i].variant->samples.push_back(std::move(samples[i]));
    HW_TRY_VOID(Save(spec, *results, options));
  }
  return {};
}

}  // namespace

Result<ExperimentReport> RunExperiment(const std::string& spec_path, const RunOptions& options) {
  HW_TRY(const std::string text, ReadTextFile(spec_path, kMostSpecBytes));
  HW_TRY(const Spec spec, ParseSpec(text, spec_path));
  Workshop workshop{
      .directory = options.directory,
      .model = options.model.empty() ? FindModel(spec.model, spec_path) : options.model,
      .model_digest = "",
      .show_progress = options.show_progress,
      .cancelled_or_null = options.cancelled_or_null};
  HW_TRY(const std::string model_digest, gguf::ModelDigestHex(workshop.model));
  workshop.model_digest = kWholeFile + model_digest;
  std::error_code error;
  fs::create_directories(options.directory, error);
  if (error) {
    return Fail(ErrorCode::kIo,
                fmt::format("{}: cannot create directory: {}", options.directory, error.message()));
  }
  const std::string digest = DigestHex(std::as_bytes(std::span<const char>(text)));
  HW_TRY(Results results, BeginResults(spec, digest, workshop, options));
  for (VariantResult& variant : results.variants) {  // another build may be able to
    if (variant.status == Status::kNotAvailable) variant.status = Status::kPending;
  }
  HW_TRY_VOID(PackMissing(workshop, &results));
  for (VariantResult& variant : results.variants) {
    if (variant.status != Status::kPending) continue;
    if (Cancelled(options)) return Interrupted("packages and the gates that are done are");
    HW_TRY_VOID(GateVariant(workshop, spec, &variant));
    HW_TRY_VOID(Save(spec, results, options));
  }
  const Result<void> measured = Measure(spec, workshop, options, &results);
  HW_TRY_VOID(Save(spec, results, options));
  HW_TRY_VOID(WriteReports(spec, results, options.directory));
  if (!measured) return tl::unexpected<Error>(measured.error());
  ExperimentReport report{.results = std::move(results), .findings = {}, .entry = "", .page = ""};
  report.findings = Findings(spec, report.results);
  const std::string base = (fs::path(options.directory) / spec.name).string();
  report.entry = base + ".md";
  report.page = base + ".html";
  return report;
}

}  // namespace headway::lab

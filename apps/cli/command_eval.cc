// headway eval: perplexity of a text, or agreement with the straight-line reference.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "base/progress.h"
#include "commands.h"
#include "gates/text_evaluation.h"
#include "gguf/gguf_file.h"
#include "input.h"
#include "numbers.h"
#include "output.h"
#include "pack/open_model.h"

namespace headway::cli {
namespace {

constexpr uint64_t kMaxTextBytes = uint64_t{64} << 20;
constexpr size_t kMismatchesShown = 10;

Result<std::unique_ptr<OpenedModel>> Open(const EvalArguments& arguments) {
  const EngineOptions options{.threads = arguments.threads,
                              .instruction_set = ForcedInstructionSet(),
                              .topology = arguments.topology,
                              .head = arguments.head,
                              .compute_units = arguments.compute_units,
                              .show_progress = true};
  HW_TRY(auto model, pack::OpenModel(arguments.model, options));
  HW_TRY_VOID(CheckIntegrity(*model, true));
  return model;
}

Result<void> PrintPerplexity(const gates::PerplexityReport& report, bool json) {
  const std::string text =
      json ? fmt::format(
                 "{{\"perplexity\": {:.6f}, \"standard_error\": {:.6f}, \"windows\": {}, "
                 "\"scored_tokens\": {}, \"text_tokens\": {}}}\n",
                 report.perplexity, report.standard_error, report.windows, report.scored_tokens,
                 report.text_tokens)
           : fmt::format("perplexity {:.4f} +/- {:.4f}   {} windows, {} of {} tokens scored\n",
                         report.perplexity, report.standard_error, report.windows,
                         report.scored_tokens, report.text_tokens);
  return WriteOut(text);
}

Result<void> EvaluatePerplexity(const EvalArguments& arguments, const std::string& text) {
  HW_TRY(const std::unique_ptr<OpenedModel> model, Open(arguments));
  std::unique_ptr<Progress> progress;
  gates::PerplexityOptions options{.window_tokens = arguments.window_tokens,
                                   .max_windows = arguments.max_windows};
  options.progress = [&](int64_t window, int64_t num_windows, double perplexity) {
    if (progress == nullptr) {
      progress = std::make_unique<Progress>("scoring", static_cast<uint64_t>(num_windows), true);
    }
    progress->Update(static_cast<uint64_t>(window), fmt::format("perplexity {:.3f}", perplexity));
  };
  HW_TRY(const gates::PerplexityReport report,
         gates::PerplexityOfText(*model, text, std::move(options), ParseKv(arguments.kv)));
  progress.reset();
  return PrintPerplexity(report, arguments.json);
}

std::string AgreementJson(const gates::AgreementReport& report) {
  return fmt::format(
      "{{\"positions\": {}, \"top1_agreement\": {:.6f}, \"mismatches\": {}, "
      "\"unexplained_mismatches\": {}, \"largest_logit_error\": {:.6g}, \"rms_logit_error\": "
      "{:.6g}, "
      "\"mean_kl\": {:.6g}, \"largest_kl\": {:.6g}, \"perplexity\": {:.6f}, "
      "\"perplexity_of_reference\": {:.6f}}}\n",
      report.positions, report.TopOneAgreement(), report.mismatches.size(),
      report.UnexplainedMismatches(), report.largest_logit_error, report.rms_logit_error,
      report.mean_kl, report.largest_kl, report.perplexity, report.perplexity_of_reference);
}

std::string AgreementTable(const gates::AgreementReport& report) {
  std::string text = fmt::format(
      "positions               {}\n"
      "same first choice       {:.3f} %\n"
      "logit error             {:.5f} RMS, {:.5f} at most\n"
      "KL(reference || model)  {:.3g} nats a token, {:.3g} at most\n"
      "perplexity              {:.4f}, of the reference {:.4f}\n"
      "different choices       {}, {} of them beyond the logit error\n",
      report.positions, 100 * report.TopOneAgreement(), report.rms_logit_error,
      report.largest_logit_error, report.mean_kl, report.largest_kl, report.perplexity,
      report.perplexity_of_reference, report.mismatches.size(), report.UnexplainedMismatches());
  for (size_t i = 0; i < std::min(kMismatchesShown, report.mismatches.size()); ++i) {
    const gates::Mismatch& m = report.mismatches[i];
    text += fmt::format("  position {}: {} instead of {}, which leads by {:.5f}\n", m.position,
                        m.token, m.reference_token, m.reference_gap);
  }
  return text;
}

Result<void> EvaluateAgreement(const EvalArguments& arguments, const std::string& text) {
  const std::string reference = arguments.reference.empty() ? arguments.model : arguments.reference;
  std::error_code error;
  if (std::filesystem::is_directory(reference, error)) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("--reference: expected the GGUF that the package {} was made from, "
                            "found none",
                            arguments.model));
  }
  HW_TRY(const gguf::GgufFile file, gguf::GgufFile::Open(reference));
  HW_TRY(const std::unique_ptr<OpenedModel> model, Open(arguments));
  const Progress progress("computing the reference", 1, true);
  HW_TRY(const gates::AgreementReport report,
         gates::AgreementOnText(*model, file, text, arguments.max_tokens, ParseKv(arguments.kv)));
  return arguments.json ? WriteJson(AgreementJson(report)) : WriteOut(AgreementTable(report));
}

}  // namespace

Result<void> Run(const EvalArguments& arguments) {
  HW_TRY(const std::string text, ReadInput(arguments.text_file, kMaxTextBytes));
  return arguments.agreement ? EvaluateAgreement(arguments, text)
                             : EvaluatePerplexity(arguments, text);
}

}  // namespace headway::cli

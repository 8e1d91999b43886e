// headway bench: how fast, against what the memory can deliver.

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "commands.h"
#include "json_report.h"
#include "lab/bench/bench.h"
#include "numbers.h"
#include "output.h"
#include "pack/open_model.h"

namespace headway::cli {
namespace {

// Columns as wide as what stands in them; names to the left, figures to the right.
std::string TableText(const lab::BenchTable& table) {
  std::vector<std::vector<std::string>> lines = {table.columns};
  for (const lab::BenchRow& row : table.rows) {
    lines.push_back({row.name});
    for (const lab::BenchFigure& figure : row.figures)
      if (!figure.shown.empty()) lines.back().push_back(figure.shown);
  }
  std::vector<size_t> widths(table.columns.size(), 0);
  for (const auto& line : lines) {
    for (size_t c = 0; c < line.size(); ++c) widths[c] = std::max(widths[c], line[c].size());
  }
  std::string text = fmt::format("\n{}\n", table.title);
  for (const auto& line : lines) {
    text += fmt::format("{:<{}}", line[0], widths[0]);
    for (size_t c = 1; c < line.size(); ++c) text += fmt::format("   {:>{}}", line[c], widths[c]);
    text += "\n";
  }
  return table.note.empty() ? text : text + table.note + "\n";
}

}  // namespace

Result<void> Run(const BenchArguments& arguments) {
  const lab::BenchRequest request{.what = arguments.what,
                                  .tokens = arguments.tokens,
                                  .context = arguments.context,
                                  .rounds = arguments.rounds,
                                  .threads = arguments.threads,
                                  .kv = ParseKv(arguments.kv),
                                  .margins = arguments.margins,
                                  .hidden = arguments.hidden,
                                  .prompt_file = arguments.prompt_file,
                                  .sampled = arguments.sampled};
  HW_TRY_VOID(lab::CheckBench(request));
  std::unique_ptr<OpenedModel> model;
  if (request.NeedsModel()) {
    if (arguments.model.empty()) {
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("bench {}: expected a GGUF or a package, found none", request.what));
    }
    const EngineOptions options{.threads = arguments.threads,
                                .instruction_set = ForcedInstructionSet(),
                                .head = request.IsOfCertifiedHead() ? "certified" : "",
                                .load = ParseLoad(arguments.load),
                                .show_progress = true};
    HW_TRY(model, pack::OpenModel(arguments.model, options));
    HW_TRY_VOID(CheckIntegrity(*model, true));  // before anything is timed
  }
  std::vector<lab::BenchTable> tables;
  Result<void> written;
  HW_TRY_VOID(lab::RunBench(request, model.get(), [&](const lab::BenchTable& table) {
    if (arguments.json) {
      tables.push_back(table);
    } else if (written) {
      written = WriteOut(TableText(table));
    }
  }));
  if (!arguments.json) return written;
  return WriteJson(BenchJson(model == nullptr ? nullptr : &model->summary, tables));
}

}  // namespace headway::cli

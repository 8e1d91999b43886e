// The Markdown entry.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <utility>

#include "base/file_writer.h"
#include "base/quoted.h"
#include "lab/append.h"
#include "lab/report.h"
#include "lab/topology_search.h"
#include "lab/words.h"

namespace headway::lab {
namespace {

// Words of the specification's author: Markdown, but no HTML and no line of its own.
std::string Prose(std::string_view text) {
  std::string out;
  for (const char c : Printable(text)) {
    if (c == '<') {
      out += "&lt;";
    } else {
      out += c == '\n' || c == '\t' ? ' ' : c;
    }
  }
  return out;
}

// What files and machines say: as it is. '|' would end a table's cell.
std::string Cell(std::string_view text) {
  std::string out;
  for (const char c : Prose(text)) {
    if (std::string_view("\\`*[]|").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

// Lines of prose no longer than our own documents' (tools/check_style.py); tables and headings stay.
std::string Wrapped(std::string_view text) {
  constexpr size_t kColumns = 100;
  std::string wrapped;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    const bool is_prose = !line.starts_with('|') && !line.starts_with('#');
    const std::string_view indent = line.starts_with("* ") ? "  " : "";
    size_t column = 0;
    for (size_t begin = 0; begin < line.size();) {
      const size_t after = is_prose ? std::min(line.find(' ', begin), line.size()) : line.size();
      const std::string_view word = line.substr(begin, after - begin);
      const auto columns = static_cast<size_t>(
          std::count_if(word.begin(), word.end(), [](char c) { return (c & 0xc0) != 0x80; }));
      if (begin > 0 && column + 1 + columns > kColumns) {
        wrapped.append("\n").append(indent);
        column = indent.size();
      } else if (begin > 0) {
        wrapped += ' ';
        ++column;
      }
      wrapped += word;
      column += columns;
      begin = after + 1;
    }
    wrapped += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return wrapped;
}

void AppendSetup(const Spec& spec, const Results& results, std::string* out) {
  Append(out, "## Setup\n\n| | |\n|---|---|\n");
  Append(out, "| model | {}, {} layers, hidden {}, vocabulary {} ({}) |\n",
         Cell(results.model_name), results.num_layers, results.hidden_size, results.vocab_size,
         Cell(results.model_file));
  Append(out, "| machine | {}, kernels {}, {} threads |\n", Cell(results.machine),
         Cell(results.kernels), results.threads);
  Append(out, "| compared | {}, against {} |\n", MetricName(spec.metric), Cell(spec.baseline));
  Append(out,
         "| measurement | {} rounds in turns after {} of warm-up, {} tokens each after {} of "
         "context; weights {} |\n",
         RoundsDone(results), spec.warm_up, spec.tokens, spec.context,
         spec.load == "map" ? "read in place" : Cell(spec.load));
  Append(out,
         "| better, worse | the whole 95 % interval of the ratio below {:.3g}, above {:.3g}; else "
         "tied |\n",
         1 - spec.at_least, 1 + spec.at_least);
  Append(out, "| date, version | {}, headway {} |\n\n", Cell(results.date), Cell(results.version));
  Append(out, "| variant | what |\n|---|---|\n");
  for (const VariantResult& variant : results.variants)
    Append(out, "| {} | {} |\n", Cell(variant.spec.name), Cell(Describe(variant.spec)));
}

void AppendTimes(const Spec& spec, const Results& results, std::string* out) {
  Append(out,
         "| variant | verdict | {} | ratio [interval] | projection | selection | step | head bytes "
         "| same tokens |\n|---|---|---|---|---|---|---|---|---|\n",
         MetricName(spec.metric));
  for (const VariantResult& variant : results.variants) {
    const Comparison comparison = Compare(spec, results, variant);
    if (comparison.verdict == Verdict::kNone) {
      Append(out, "| {} | {} | | | | | | | |\n", Cell(variant.spec.name),
             Cell(Outcome(spec, results, variant)));
      continue;
    }
    Append(out, "| {} | **{}** | {} | {} | {} | {} | {} | {} | {} |\n", Cell(variant.spec.name),
           Cell(Outcome(spec, results, variant)), Time(comparison.ns.median),
           Ratio(comparison.ratio), Time(Median(variant, &Sample::predict_ns)),
           Time(Median(variant, &Sample::reduce_ns)), Time(Median(variant, &Sample::step_ns)),
           Bytes(Median(variant, &Sample::head_bytes)), SameTokens(spec, results, variant));
  }
}

void AppendGates(const Results& results, std::string* out) {
  Append(out, "\n| variant | gate | result | basis | detail |\n|---|---|---|---|---|\n");
  for (const VariantResult& variant : results.variants) {
    for (const GateRecord& record : variant.gates) {
      Append(out, "| {} | {} | {} | {} | {} |\n",
             &record == &variant.gates.front() ? Cell(variant.spec.name) : "", Cell(record.gate),
             record.Failed() ? "**failed**" : record.Verdict(), Cell(record.basis),
             Cell(record.detail));
    }
    if (variant.gates.empty() && !variant.reason.empty())
      Append(out, "| {} | | {} | | {} |\n", Cell(variant.spec.name), ToString(variant.status),
             Cell(variant.reason));
  }
}

void AppendTopology(const Results& results, std::string* out) {
  const TopologyFinding finding = SearchTopology(results);
  Append(out, "\n### The cheapest legal cover\n\n");
  Append(out, "{}", CoverInWords(finding, {"`", "`"}, {"**", "**"}));
  for (const ShardEdge& edge : finding.failed)
    Append(out, " Absent, because a gate failed: [{}, {}).", edge.begin, edge.end);
  Append(out, "\n");
}

}  // namespace

std::string MarkdownEntry(const Spec& spec, const Results& results) {
  std::string out =
      fmt::format("# {}\n\n## Intent\n\n{}\n\n", Prose(spec.title), Prose(spec.intent));
  AppendSetup(spec, results, &out);
  Append(&out, "\n## Result\n\n");
  for (const std::string& sentence : Findings(spec, results))
    Append(&out, "* {}\n", Prose(sentence));
  Append(&out, "\n");
  AppendTimes(spec, results, &out);
  AppendGates(results, &out);
  if (spec.search_topology) AppendTopology(results, &out);
  Append(&out, "\n## Surprise\n\n");
  const std::vector<std::string> surprises = Surprises(spec, results);
  for (const std::string& surprise : surprises) Append(&out, "* {}\n", Prose(surprise));
  if (surprises.empty())
    Append(&out,
           "None in the data: every verdict is the one that was expected beforehand, or none "
           "was.\n");
  Append(&out, "\n## Lesson\n\n*For the author.*\n\n## Next\n\n");
  std::string untimed;
  for (const VariantResult& variant : results.variants) {
    if (variant.status == Status::kNotAvailable)
      Append(&out, "* {}: {}\n", Cell(variant.spec.name), Cell(variant.reason));
    if (variant.status == Status::kNoDevice)
      untimed += (untimed.empty() ? "" : ", ") + Cell(variant.spec.name);
  }
  if (!untimed.empty()) Append(&out, "* Time on the device: {}\n", untimed);
  Append(&out, "* *For the author.*\n\n## References\n\n");
  for (const std::string& reference : spec.references) Append(&out, "* {}\n", Prose(reference));
  Append(&out, "* {}.html beside this entry, results.json with every round\n", spec.name);
  return Wrapped(out);
}

Result<void> WriteReports(const Spec& spec, const Results& results, const std::string& directory) {
  const std::filesystem::path base = std::filesystem::path(directory) / spec.name;
  HW_TRY_VOID(WriteTextFileAtomically(base.string() + ".md", MarkdownEntry(spec, results)));
  return WriteTextFileAtomically(base.string() + ".html", HtmlPage(spec, results));
}

}  // namespace headway::lab

#pragma once

// The report of an experiment: results.json, a Markdown entry and an HTML page, all made from
// results alone.

#include <string>

#include "base/result.h"
#include "lab/results.h"
#include "lab/spec.h"

namespace headway::lab {

inline constexpr const char* kResultsFileName = "results.json";

// DIRECTORY/NAME.md and NAME.html. Errors: kIo.
Result<void> WriteReports(const Spec& spec, const Results& results, const std::string& directory);

// The entry for a journal: Intent, Setup, Result, Surprise, Lesson, Next, References.
std::string MarkdownEntry(const Spec& spec, const Results& results);

// A page that needs nothing else: inline styles and SVG, light and dark, no script.
std::string HtmlPage(const Spec& spec, const Results& results);

}  // namespace headway::lab

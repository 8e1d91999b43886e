#pragma once

// Quantities and sentences that the entry and the page share. Inside this folder only.

#include <array>
#include <string>
#include <vector>

#include "lab/results.h"
#include "lab/spec.h"
#include "lab/topology_search.h"

namespace headway::lab {

// "512 us", "5.13 ms": three digits.
std::string Time(double ns);
// "614.6 MB": powers of 1000.
std::string Bytes(double bytes);
// "0.998 [0.991, 1.004]"
std::string Ratio(const measure::Spread& ratio);
// "cpu, 6 layers a shard, head full:4, 4 tokens a step; the variant's note"
std::string Describe(const VariantSpec& variant);

// What happened to a variant, in a few words: its verdict, or why there is none.
std::string Outcome(const Spec& spec, const Results& results, const VariantResult& variant);

// A tie that says little: the interval is wider than a fifth of the baseline's time.
bool IsWide(const Comparison& comparison);

// Whether the variant decoded the same tokens as the baseline in every round: "yes", "no", or ""
// where the question does not arise (another batch width, not measured).
std::string SameTokens(const Spec& spec, const Results& results, const VariantResult& variant);

// The findings in sentences, from the data alone: counts of verdicts, and how far the head is from
// what the memory allows.
std::vector<std::string> Findings(const Spec& spec, const Results& results);

// Verdicts that differ from what the specification expected.
std::vector<std::string> Surprises(const Spec& spec, const Results& results);

// What the search for the cheapest cover of the layers found: a time that was measured, and what is
// a lower bound, if it is one. Sentences in which `code` and `strong` wrap a name and a keyword.
std::string CoverInWords(const TopologyFinding& finding, const std::array<const char*, 2>& code,
                         const std::array<const char*, 2>& strong);

// "head time a token"
std::string MetricName(Metric metric);

}  // namespace headway::lab

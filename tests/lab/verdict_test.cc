// Verdicts come from intervals, results survive the round trip, pages say what the data says.

#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "lab/report.h"
#include "lab/results.h"
#include "lab/words.h"

namespace headway::lab {
namespace {

class VerdictTest : public testing::Test {
 protected:
  VerdictTest() {
    spec_.name = "x";
    spec_.title = "A <title> & more";
    spec_.intent = "I";
    spec_.baseline = "base";
    spec_.repeats = 20;
    Add("base", [](int) { return 100.0; });
  }
  // A variant whose head takes value(round) nanoseconds.
  template <class Value>
  VariantResult& Add(const std::string& name, const Value& value, const std::string& expect = "") {
    VariantSpec spec;
    spec.name = name;
    spec.expect = expect;
    spec_.variants.push_back(spec);
    VariantResult variant;
    variant.spec = spec;
    variant.status = Status::kReady;
    for (int round = 0; round < 20; ++round) {
      Sample sample;
      sample.head_ns = value(round);
      sample.predict_ns = 0.9 * sample.head_ns;
      sample.step_ns = 3 * sample.head_ns;
      sample.head_bytes = 1000;
      sample.head_shard_ns.push_back(sample.head_ns);
      sample.tokens_hash = "aa";
      variant.samples.push_back(sample);
    }
    results_.variants.push_back(variant);
    results_.bandwidth.assign(20, 2e10);
    return results_.variants.back();
  }
  Verdict Of(const std::string& name) const {
    for (const VariantResult& v : results_.variants)
      if (v.spec.name == name) return Compare(spec_, results_, v).verdict;
    return Verdict::kNone;
  }

  Spec spec_;
  Results results_;
};

TEST_F(VerdictTest, ByTheIntervalNotByTheMedian) {
  Add("faster", [](int round) { return 80.0 + round % 3; });
  Add("slower", [](int round) { return 130.0 + round % 3; });
  // The median is 4 % lower, but a third of the rounds is far above.
  Add("noisy",
      [](int round) { return round % 3 == 0 ? 150.0 : 96.0 - round % 2 * 30.0 + (round % 5) * 8; });
  Add("equal", [](int round) { return 99.0 + round % 3; });
  EXPECT_EQ(Of("base"), Verdict::kBaseline);
  EXPECT_EQ(Of("faster"), Verdict::kBetter);
  EXPECT_EQ(Of("slower"), Verdict::kWorse);
  EXPECT_EQ(Of("noisy"), Verdict::kTied);
  EXPECT_EQ(Of("equal"), Verdict::kTied);
  spec_.at_least = 0.25;
  EXPECT_EQ(Of("faster"), Verdict::kTied);
}

TEST_F(VerdictTest, NotMeasured_HasNone) {
  Add("gone", [](int) { return 10.0; }).status = Status::kFailedGate;
  Add("elsewhere", [](int) { return 10.0; }).status = Status::kNoDevice;
  EXPECT_EQ(Of("gone"), Verdict::kNone);
  EXPECT_EQ(Of("elsewhere"), Verdict::kNone);
}

TEST_F(VerdictTest, Results_RoundTrip) {
  VariantResult& variant = Add("other", [](int round) { return 50.0 + round; });
  variant.reason = "r";
  variant.gates = {{.gate = "quality", .passed = true, .basis = "measured", .detail = "d"}};
  variant.shards = {{.name = "s", .begin = 1, .end = 2, .is_head = true, .bytes = 3, .ops = 4}};
  const std::string text = ToJson(spec_, results_);
  const auto back = ResultsFromJson(text, "r.json");
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(ToJson(spec_, *back), text);
  EXPECT_EQ(back->variants[1].samples, variant.samples);
  for (size_t length = 0; length + 2 < text.size(); length += 97)
    EXPECT_FALSE(ResultsFromJson(text.substr(0, length), "r.json"));
}

TEST_F(VerdictTest, Report_SaysWhatTheDataSays) {
  Add(
      "faster | better", [](int round) { return 80.0 + round % 3; }, "tied");
  VariantResult& failed = Add("broken", [](int) { return 1.0; });
  failed.status = Status::kFailedGate;
  failed.samples.clear();
  failed.gates = {
      {.gate = "arithmetic", .passed = false, .basis = "measured", .detail = "NaN <here>"}};
  const std::string entry = MarkdownEntry(spec_, results_);
  for (const char* heading : {"## Intent", "## Setup", "## Result", "## Surprise", "## Lesson",
                              "## Next", "## References"})
    EXPECT_NE(entry.find(heading), std::string::npos) << heading;
  EXPECT_NE(entry.find("| faster \\| better | **better** |"), std::string::npos) << entry;
  EXPECT_NE(entry.find("expected tied, found better"), std::string::npos);
  std::istringstream lines(entry);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with('|')) {
      EXPECT_LE(line.size(), 100U) << line;
    }
  }
  const std::string page = HtmlPage(spec_, results_);
  EXPECT_NE(page.find("A &lt;title&gt; &amp; more"), std::string::npos);
  EXPECT_NE(page.find("NaN &lt;here&gt;"), std::string::npos);
  EXPECT_NE(page.find("prefers-color-scheme: dark"), std::string::npos);
  for (const char* outside : {"<script", "src=", "@import", "url(", "<link"})
    EXPECT_EQ(page.find(outside), std::string::npos) << outside;
}

// results.json may come from anywhere: nothing in it is markup, or a line of its own.
TEST_F(VerdictTest, WhatResultsSay_IsTextEverywhere) {
  VariantResult& variant = Add("a<x>", [](int) { return 1.0; });
  results_.date = "<date>";
  results_.version = "<version>";
  results_.machine = "<machine>\x1b[2J [a](javascript:b) `c` *d*";
  variant.gates = {
      {.gate = "<gate>", .passed = true, .basis = "<basis>", .detail = "x\n# <detail>"}};
  const std::string page = HtmlPage(spec_, results_);
  const std::string entry = MarkdownEntry(spec_, results_);
  for (const std::string name : {"date", "version", "machine", "gate", "basis", "detail", "x"}) {
    EXPECT_EQ(page.find("<" + name + ">"), std::string::npos) << name;
    EXPECT_NE(page.find("&lt;" + name + "&gt;"), std::string::npos) << name;
    EXPECT_EQ(entry.find("<" + name + ">"), std::string::npos) << name;
    EXPECT_NE(entry.find("&lt;" + name + ">"), std::string::npos) << name;
  }
  EXPECT_EQ(entry.find('\x1b'), std::string::npos);
  EXPECT_NE(entry.find("\\[a\\](javascript:b) \\`c\\` \\*d\\*"), std::string::npos) << entry;
  EXPECT_EQ(entry.find("\n# &lt;detail"), std::string::npos);
}

}  // namespace
}  // namespace headway::lab

#include "lab/topology_search.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "lab/words.h"

namespace headway::lab {
namespace {

TEST(CheapestCoverTest, PicksTheShortestPath) {
  const std::vector<ShardEdge> edges = {{0, 6, 10}, {6, 12, 10}, {0, 4, 5}, {4, 12, 12}, {4, 6, 9}};
  const auto cover = CheapestCover(edges, 12);
  ASSERT_TRUE(cover);
  EXPECT_EQ(Text(*cover), "0:4,4:12");
  EXPECT_DOUBLE_EQ(cover->ns, 17);
}

TEST(CheapestCoverTest, EqualCost_TakesFewerShards) {
  const auto cover = CheapestCover({{0, 1, 1}, {1, 2, 1}, {0, 2, 2}}, 2);
  ASSERT_TRUE(cover);
  EXPECT_EQ(Text(*cover), "0:2");
}

TEST(CheapestCoverTest, GapOrNonsense_IsNoCover) {
  EXPECT_FALSE(CheapestCover({{0, 4, 1}, {5, 12, 1}}, 12));
  EXPECT_FALSE(CheapestCover({{0, 13, 1}, {3, 3, 1}, {-1, 12, 1}}, 12));
  EXPECT_FALSE(CheapestCover({}, 3));
}

// Against trying every cover there is.
double BestOf(const std::vector<ShardEdge>& edges, int64_t from, int64_t to) {
  if (from == to) return 0;
  double best = std::numeric_limits<double>::infinity();
  for (const ShardEdge& edge : edges) {
    if (edge.begin == from) best = std::min(best, edge.ns + BestOf(edges, edge.end, to));
  }
  return best;
}

TEST(CheapestCoverTest, RandomEdges_EqualExhaustiveSearch) {
  std::mt19937 random(4);
  constexpr int64_t kLayers = 9;
  for (int round = 0; round < 200; ++round) {
    std::vector<ShardEdge> edges;
    for (int64_t i = 0; i < kLayers; ++i) {
      for (int64_t j = i + 1; j <= kLayers; ++j) {
        if (random() % 3 == 0) edges.push_back({i, j, static_cast<double>(random() % 100 + 1)});
      }
    }
    const double expected = BestOf(edges, 0, kLayers);
    const auto cover = CheapestCover(edges, kLayers);
    ASSERT_EQ(cover.has_value(), expected < std::numeric_limits<double>::infinity());
    if (cover) {
      EXPECT_DOUBLE_EQ(cover->ns, expected);
    }
  }
}

TEST(SearchTopologyTest, FailedEdgesAreAbsentAndTheBoundIsBytesOverBandwidth) {
  Results results;
  results.num_layers = 4;
  results.bandwidth = {1e9};
  const auto variant = [](int64_t cut, double first, double second, bool failed) {
    VariantResult v;
    v.status = Status::kReady;
    v.shards = {{.name = "a", .begin = 0, .end = cut, .bytes = 500},
                {.name = "b", .begin = cut, .end = 4, .bytes = 500, .failed = failed}};
    Sample sample;
    sample.layer_shard_ns = {first, second};
    v.samples = {sample};
    return v;
  };
  results.variants = {variant(2, 700, 900, false), variant(1, 100, 100, true)};
  const TopologyFinding finding = SearchTopology(results);
  EXPECT_EQ(finding.measured.size(), 3U);
  ASSERT_EQ(finding.failed.size(), 1U);
  EXPECT_EQ(finding.failed[0].begin, 1);
  ASSERT_TRUE(finding.cheapest);
  EXPECT_EQ(Text(*finding.cheapest), "0:2,2:4");
  EXPECT_DOUBLE_EQ(finding.bound_ns, 1000);
}

TEST(CoverInWordsTest, SaysWhatIsMeasuredAndWhatABoundIs) {
  TopologyFinding finding;
  finding.measured = {{.begin = 0, .end = 4, .ns = 2000}};
  finding.cheapest = CheapestCover(finding.measured, 4);
  finding.bound_ns = 1500;
  const auto words = [&] { return CoverInWords(finding, {"`", "`"}, {"", ""}); };
  EXPECT_NE(words().find("`0:4` is the cheapest"), std::string::npos) << words();
  EXPECT_NE(words().find("can save 25 % at the very most"), std::string::npos) << words();
  finding.bound_ns = 3000;  // weights that are read from the cache
  EXPECT_EQ(words().find("at the very most"), std::string::npos) << words();
  EXPECT_NE(words().find("There is no lower bound"), std::string::npos) << words();
  finding.cheapest.reset();
  EXPECT_NE(words().find("do not cover all layers"), std::string::npos) << words();
}

}  // namespace
}  // namespace headway::lab

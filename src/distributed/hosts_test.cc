#include "distributed/hosts.h"

#include <gtest/gtest.h>

namespace headway::distributed {
namespace {

TEST(HostsTest, LayersFirstAndHeadLast) {
  const auto hosts = Hosts::Parse("layers:2,head:3", 4);
  ASSERT_TRUE(hosts) << hosts.error().message;
  EXPECT_EQ(hosts->HeadRanks(), (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(hosts->NameOf(0), "rank 0 (layers 1 of 2)");
  EXPECT_EQ(hosts->NameOf(1), "rank 1 (layers 2 of 2, head 1 of 3)");
  EXPECT_EQ(hosts->NameOf(3), "rank 3 (head 3 of 3)");
}

TEST(HostsTest, PartsCoverAllShardsInOrder) {
  for (int layers = 1; layers <= 5; ++layers) {
    for (int head = 1; head <= 5; ++head) {
      for (int ranks = std::max(layers, head); ranks <= layers + head; ++ranks) {
        const auto hosts = Hosts::Parse(
            "head:" + std::to_string(head) + ",layers:" + std::to_string(layers), ranks);
        ASSERT_TRUE(hosts) << hosts.error().message;
        size_t next_layer = 0;
        size_t next_head = 0;
        for (int rank = 0; rank < ranks; ++rank) {
          EXPECT_TRUE(hosts->HasLayers(rank) || hosts->HasHead(rank)) << rank;
          const Slice of_layers = hosts->LayersOf(rank, 7);
          const Slice of_head = hosts->HeadOf(rank, 5);
          if (hosts->HasLayers(rank)) {
            EXPECT_EQ(of_layers.begin, next_layer);
            EXPECT_FALSE(of_layers.IsEmpty());
            next_layer = of_layers.end;
          }
          if (hosts->HasHead(rank)) {
            EXPECT_EQ(of_head.begin, next_head);
            EXPECT_FALSE(of_head.IsEmpty());
            next_head = of_head.end;
          }
        }
        EXPECT_EQ(next_layer, 7U);
        EXPECT_EQ(next_head, 5U);
      }
    }
  }
}

TEST(HostsTest, BadTextIsNamed) {
  for (const char* text : {"", "layers", "layers:0", "layers:x", "head:65", "layers:2,", "tail:2",
                           "layers:2,layers:2", "layers:2 head:4", "layers:2,head:-1"}) {
    const auto hosts = Hosts::Parse(text, 4);
    ASSERT_FALSE(hosts) << text;
    EXPECT_EQ(hosts.error().code, ErrorCode::kInvalidInput);
    EXPECT_NE(hosts.error().message.find("expected layers:L,head:H"), std::string::npos)
        << hosts.error().message;
  }
}

TEST(HostsTest, RanksThatDoNotFitAreCounted) {
  for (const int ranks : {1, 3, 7}) {
    const auto hosts = Hosts::Parse("layers:2,head:4", ranks);
    ASSERT_FALSE(hosts);
    EXPECT_NE(hosts.error().message.find("expected 4 to 6 ranks, found " + std::to_string(ranks)),
              std::string::npos)
        << hosts.error().message;
  }
}

TEST(HostsTest, MoreRanksThanShardsAreRefused) {
  const auto hosts = Hosts::Parse("layers:3,head:4", 4);
  ASSERT_TRUE(hosts);
  EXPECT_TRUE(hosts->CheckShards(3, 4));
  EXPECT_FALSE(hosts->CheckShards(2, 4));
  EXPECT_FALSE(hosts->CheckShards(3, 1));
}

}  // namespace
}  // namespace headway::distributed

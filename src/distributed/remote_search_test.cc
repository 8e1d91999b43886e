#include "distributed/remote_search.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "distributed/local_transport.h"

namespace headway::distributed {
namespace {

// Two ranks with half a head each; Link::Open waits for nobody.
class OneExchangeTest : public testing::Test {
 protected:
  OneExchangeTest() {
    const auto hosts = Hosts::Parse("layers:1,head:2", 2);
    EXPECT_TRUE(hosts) << hosts.error().message;
    for (int rank = 0; rank < 2; ++rank) {
      auto link = Link::Open(hub_.EndOf(rank), *hosts, std::chrono::seconds(60));
      EXPECT_TRUE(link) << link.error().message;
      links_.push_back(*std::move(link));
    }
  }

  LocalHub hub_{2};
  std::vector<std::unique_ptr<Link>> links_;
};

TEST_F(OneExchangeTest, SearchThatNeverBegins_DoesNotHoldTheOther) {
  float threshold = 0.0F;
  std::thread other([&] {
    Exchange exchange(links_[1].get());
    const OneExchange once(&exchange);
    threshold = exchange.Largest(3.0F);
  });
  {
    Exchange exchange(links_[0].get());
    const OneExchange once(&exchange);  // and an error before the search
  }
  other.join();
  EXPECT_EQ(threshold, 3.0F);
}

// A second reduction of one question would be taken for the first of the next.
TEST_F(OneExchangeTest, SearchesThatAsk_MeetOnceEach) {
  const auto search = [](Link* link, std::vector<float> mine) {
    Exchange exchange(link);
    std::vector<float> thresholds;
    for (const float value : mine) {
      const OneExchange once(&exchange);
      thresholds.push_back(exchange.Largest(value));
    }
    return thresholds;
  };
  std::vector<float> second;
  std::thread other([&] { second = search(links_[1].get(), {-7.0F, 2.0F, -1.5F}); });
  const std::vector<float> first = search(links_[0].get(), {-5.0F, 1.0F, -2.5F});
  other.join();
  const std::vector<float> expected = {-5.0F, 2.0F, -1.5F};
  EXPECT_EQ(first, expected);
  EXPECT_EQ(second, expected);
  EXPECT_EQ(links_[0]->Sent().reductions, 3U);
}

TEST_F(OneExchangeTest, HeadOfOnePart_AsksNobody) {
  { const OneExchange once(nullptr); }
  EXPECT_EQ(links_[0]->Sent().reductions, 0U);
}

}  // namespace
}  // namespace headway::distributed

#include "server/api_keys.h"

#include <gtest/gtest.h>

namespace headway::server {
namespace {

HttpRequest With(const std::string& name, const std::string& value) {
  HttpRequest request;
  request.header = [name, value](const char* asked) { return asked == name ? value : ""; };
  return request;
}

TEST(ApiKeys, AllowThoseOfTheListAlone) {
  const ApiKeys keys({"secret", "other"});
  EXPECT_TRUE(keys.Allow(With("Authorization", "Bearer secret")));
  EXPECT_TRUE(keys.Allow(With("Authorization", "Bearer other")));
  EXPECT_TRUE(keys.Allow(With("X-Api-Key", "other")));
  for (const char* wrong : {"Bearer secre", "Bearer secrets", "Bearer secretsecret", "Bearer ",
                            "secret", "Basic secret", ""})
    EXPECT_FALSE(keys.Allow(With("Authorization", wrong))) << wrong;
  EXPECT_FALSE(keys.Allow(With("X-Api-Key", "")));
}

TEST(ApiKeys, WithoutAnyEveryoneMayAsk) {
  EXPECT_TRUE(ApiKeys({}).Allow(With("Authorization", "")));
}

}  // namespace
}  // namespace headway::server

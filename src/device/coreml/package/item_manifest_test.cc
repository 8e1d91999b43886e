#include "device/coreml/package/item_manifest.h"

#include <gtest/gtest.h>

namespace headway::mil {
namespace {

TEST(ItemManifest, MakeFormatParse_RoundTrips) {
  const std::string text = FormatItemManifest(MakeItemManifest(true));
  const auto manifest = ParseItemManifest(text);
  ASSERT_TRUE(manifest.has_value()) << manifest.error().message;
  EXPECT_EQ(manifest->Root()->path, "com.apple.CoreML/model.mlmodel");
  EXPECT_EQ(manifest->items.size(), 2U);
  EXPECT_EQ(FormatItemManifest(*manifest), text);
  EXPECT_EQ(manifest->Root()->identifier.size(), 36U);
}

std::string ErrorOf(std::string text, const std::string& from = "", const std::string& to = "") {
  if (!from.empty()) text.replace(text.find(from), from.size(), to);
  const auto manifest = ParseItemManifest(text);
  return manifest ? std::string() : manifest.error().message;
}

TEST(ItemManifest, HostileManifests_AreRejected) {
  const std::string good = FormatItemManifest(MakeItemManifest(true));
  EXPECT_NE(ErrorOf("{").find("does not parse"), std::string::npos);
  EXPECT_NE(ErrorOf("[]").find("expected an object, found array"), std::string::npos);
  EXPECT_NE(ErrorOf("{}").find("key 'fileFormatVersion' is missing"), std::string::npos);
  EXPECT_NE(ErrorOf(good, "1.0.0", "2.0.0").find("at most 1.0.0, found '2.0.0'"),
            std::string::npos);
  EXPECT_NE(ErrorOf(good, "1.0.0", "1.0").find("three numbers"), std::string::npos);
  EXPECT_NE(ErrorOf(good, "1.0.0", "1.-1.0").find("three numbers"), std::string::npos);
  EXPECT_NE(ErrorOf(good, "\"author\"", "\"writer\"").find("key 'author' is missing"),
            std::string::npos);
  EXPECT_NE(
      ErrorOf(good, "com.apple.CoreML/weights", "../../../etc").find("path inside the package"),
      std::string::npos);
  EXPECT_NE(ErrorOf(good, "com.apple.CoreML/weights", "/etc").find("path inside the package"),
            std::string::npos);
  EXPECT_NE(ErrorOf(good, "rootModelIdentifier\": \"", "rootModelIdentifier\": \"x")
                .find("expected one of the 2 items"),
            std::string::npos);
  EXPECT_NE(ErrorOf(good, "itemInfoEntries", "items").find("itemInfoEntries"), std::string::npos);
  EXPECT_NE(ErrorOf(std::string(100000, '[')).find("levels"), std::string::npos);
}

TEST(ItemManifest, EveryTruncation_IsRejected) {
  const std::string good = FormatItemManifest(MakeItemManifest(true));
  for (size_t length = 0; length + 2 < good.size(); ++length) {
    EXPECT_FALSE(ParseItemManifest(good.substr(0, length)).has_value()) << length;
  }
}

}  // namespace
}  // namespace headway::mil

// Whole decodes through Core ML's runner: the interpreter's tokens, whatever the framework does with
// its arrays.

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "apple_fixture.h"
#include "pack/cache_contents.h"

namespace headway::apple_test {
namespace {

namespace fs = std::filesystem;

class AppleDecodeTest : public AppleTest {
 protected:
  void ExpectSame(const std::string& package, int64_t count, const std::string& head = "") const {
    const Decoded expected = DecodeOn(package, "interpreter", count, head);
    const Decoded found = DecodeOn(package, "", count, head);
    EXPECT_EQ(found.tokens, expected.tokens);
    EXPECT_EQ(found.logits_hash, expected.logits_hash);
    EXPECT_EQ(found.tokens.size(), static_cast<size_t>(count));
  }
};

TEST_F(AppleDecodeTest, Tokens_AreTheInterpreters_InMemoryOfOurs) {
  ExpectSame(StoryPackage(), 12);
  const standin::Account account = standin::TakeAccount();
  EXPECT_GT(account.predictions, 12 * 7);
  EXPECT_EQ(account.failed, 0);
  EXPECT_EQ(account.backings_ignored, 0);
  EXPECT_EQ(account.backings_used, account.predictions);
}

TEST_F(AppleDecodeTest, Tokens_AreTheInterpreters_WhenBackingsAreIgnoredAndRowsPadded) {
  standin::Behave({.seed = 5, .ignores_backings = 0.5, .pads = 0.5, .is_slow = 0.2});
  ExpectSame(StoryPackage(), 12);
  const standin::Account account = standin::TakeAccount();
  EXPECT_GT(account.backings_used, 20);
  EXPECT_GT(account.backings_ignored, 20);
}

TEST_F(AppleDecodeTest, Shards_ReadWhatTheOneBeforeHasGiven_AndHeadShardsRunTogether) {
  standin::Behave({.seed = 1, .ignores_backings = 0.5, .is_slow = 1});
  const auto model = Open(StoryPackage());
  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_EQ((*model)->summary.instruction_set, "Core ML, cpu-and-neural-engine");
  ASSERT_GT((*model)->pipeline->Layers().size(), 1U);
  const auto before = standin::TakeAccount();
  const Decoded decoded = Decode(model->get(), 4);
  EXPECT_EQ(decoded.error, "");
  const standin::Account account = standin::TakeAccount();
  const auto layers = static_cast<int64_t>((*model)->pipeline->Layers().size());
  const int64_t steps = (account.predictions - before.predictions - 4 * 4) / layers;
  EXPECT_EQ(account.given_as_input, steps * (layers - 1));
  EXPECT_GE(account.most_at_once, 2);
}

TEST_F(AppleDecodeTest, EveryHeadAndWidth_GivesTheInterpretersTokens) {
  standin::Behave({.seed = 9, .ignores_backings = 0.3, .pads = 0.7});
  const std::string package =
      StoryPackage({.heads = {"full:4", "top1:3", "blockmax:2", "top1-fp16:16"}, .widths = "1,4"});
  for (const char* head : {"full:4", "top1:3", "blockmax:2", "top1-fp16:16"}) {
    SCOPED_TRACE(head);
    ExpectSame(package, 6, head);
  }
  ExpectSame(StoryPackage({.widths = "1..4", .states = "unified"}), 6);
}

// Keys and values that the host keeps: given back in padded rows, too.
TEST_F(AppleDecodeTest, CachesOutsideTheProgram_GiveTheInterpretersTokens) {
  standin::Behave({.seed = 3, .ignores_backings = 0.5, .pads = 0.5});
  ExpectSame(StoryPackage({.states = "io"}), 6);
  const std::string package = StoryPackage({.widths = "1,4", .states = "io"});
  ExpectSame(package, 6);
  EXPECT_EQ(DecodeOn(package, "", 6).kv_bytes, DecodeOn(package, "interpreter", 6).kv_bytes);
}

// Shards of which some see windows and turn by a table of their own, and hold hidden states scaled.
TEST_F(AppleDecodeTest, OtherLayers_GiveTheInterpretersTokens) {
  standin::Behave({.seed = 4, .ignores_backings = 0.5, .pads = 0.5});
  for (const char* shape : {"tiny-gemma3", "tiny-smollm3", "tiny-qwen2"}) {
    SCOPED_TRACE(shape);
    for (const char* states : {"per-layer", "io"}) {
      ExpectSame(StoryPackage({.heads = {"full:2"},
                               .widths = "1,4",
                               .states = states,
                               .shape = shape,
                               .residual_scale = 0x1p-3F}),
                 12);
    }
  }
}

TEST_F(AppleDecodeTest, TwoConversations_KeepTheirStatesApart) {
  standin::Behave({.seed = 2, .ignores_backings = 0.5, .pads = 0.5});
  const auto model = Open(StoryPackage());
  ASSERT_TRUE(model.has_value());
  const Decoded alone = Decode(model->get(), 6);
  SessionOptions options;
  options.capacity_tokens = 64;
  const auto other = Session::Create((*model)->executor, std::move(options));
  ASSERT_TRUE(other.has_value());
  const auto ids = (*model)->tokenizer->Encode("The dog", {.add_bos = true});
  ASSERT_TRUE((*other)->Append(*ids).has_value());
  const Decoded again = Decode(model->get(), 6);
  EXPECT_EQ(again.tokens, alone.tokens);
  EXPECT_EQ(again.kv_bytes, alone.kv_bytes);
  EXPECT_GT(alone.kv_bytes, 0U);
}

TEST_F(AppleDecodeTest, Packages_AreCompiledOnceAndThenFoundInTheCache) {
  const std::string package = StoryPackage();
  ASSERT_TRUE(Open(package).has_value());
  const standin::Account first = standin::TakeAccount();
  EXPECT_GT(first.compiled, 0);
  EXPECT_EQ(first.loaded, first.compiled);
  standin::Behave({});
  ASSERT_TRUE(Open(package).has_value());
  EXPECT_EQ(standin::TakeAccount().compiled, 0);
  EXPECT_EQ(standin::TakeAccount().loaded, first.loaded);
}

// As a package made anew is compiled anew, what the earlier one became goes.
TEST_F(AppleDecodeTest, TheCache_HasOneModelAProgramThatIsThere) {
  const std::string package = StoryPackage() + "-changed";
  fs::remove_all(package);
  fs::copy(StoryPackage(), package, fs::copy_options::recursive);
  const auto compiled = [&] {
    std::vector<std::string> names;
    const auto found = pack::CachedPackages(Cache());
    EXPECT_TRUE(found.has_value());
    for (const pack::CachedPackage& entry : *found) {
      EXPECT_TRUE(entry.is_compiled && entry.bytes > 0 && entry.source.ends_with(".mlpackage"));
      names.push_back(entry.name);
    }
    return names;
  };
  ASSERT_TRUE(Open(package).has_value());
  const std::vector<std::string> first = compiled();
  EXPECT_EQ(std::ssize(first), standin::TakeAccount().compiled);
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(package)) {
    if (entry.path().extension() == ".mlmodel")
      fs::last_write_time(entry.path(), fs::file_time_type::clock::now() + std::chrono::hours(1));
  }
  ASSERT_TRUE(Open(package).has_value());
  const std::vector<std::string> second = compiled();
  EXPECT_EQ(second.size(), first.size());
  EXPECT_NE(second, first);
  fs::remove_all(package);
  ASSERT_TRUE(Open(StoryPackage()).has_value());
  for (const std::string& name : compiled())
    EXPECT_EQ(std::count(second.begin(), second.end(), name), 0) << name;
  EXPECT_GT(*pack::CleanCache(Cache(), {}), 0U);
  EXPECT_TRUE(compiled().empty());
}

class SlowAppleDecodeTest : public AppleDecodeTest {};

// Long decodes in many moods of the framework, with states of every width.
TEST_F(SlowAppleDecodeTest, Tokens_AreTheInterpreters_InEveryMood) {
  for (uint64_t seed = 0; seed < 6; ++seed) {
    SCOPED_TRACE(seed);
    const double share = static_cast<double>(seed) / 5;
    standin::Behave(
        {.seed = seed, .ignores_backings = share, .pads = 1 - share / 2, .is_slow = 0.2});
    ExpectSame(StoryPackage({.widths = seed % 2 == 0 ? "1" : "1,4"}), 48);
  }
}

}  // namespace
}  // namespace headway::apple_test

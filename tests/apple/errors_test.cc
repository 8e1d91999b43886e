// What Core ML refuses, at loading and at any step, becomes an error of ours.

#include <unistd.h>

#include <filesystem>

#include "apple_fixture.h"
#include "gates/gate.h"

namespace headway::apple_test {
namespace {

namespace fs = std::filesystem;

using standin::Behaviour;

class AppleErrorsTest : public AppleTest {
 protected:
  // The error of opening the package under that behaviour.
  Error OpenError(const Behaviour& behaviour, const std::string& compute_units = "") const {
    standin::Behave(behaviour);
    const auto model = Open(StoryPackage(), compute_units);
    EXPECT_FALSE(model.has_value());
    return model ? Error{} : model.error();
  }
  static void ExpectSays(const Error& error, ErrorCode code,
                         const std::vector<std::string>& parts) {
    EXPECT_EQ(error.code, code) << error.message;
    for (const std::string& part : parts)
      EXPECT_NE(error.message.find(part), std::string::npos) << error.message << "\n  " << part;
  }
};

TEST_F(AppleErrorsTest, Loading_NamesThePackageAndWhatCoreMlSays) {
  ExpectSays(OpenError({.cannot_compile = "layers_"}), ErrorCode::kIo,
             {"layers_", ".mlpackage: Core ML: could not compile: Error reading the model",
              "com.apple.CoreML", "com.apple.appleneuralengine -14"});
  ExpectSays(OpenError({.cannot_load = ".mlmodelc"}), ErrorCode::kIo,
             {".mlpackage: Core ML: could not load", "execution plan"});
}

TEST_F(AppleErrorsTest, ACacheOfAnotherUser_IsNotUsed) {
  const std::string compiled = Cache() + "/compiled";
  fs::create_directories(compiled);
  for (const std::string& directory : {Cache(), compiled}) {
    fs::permissions(directory, fs::perms::all);
    ExpectSays(OpenError({}), ErrorCode::kInvalidInput,
               {directory + ": expected a directory that others cannot write to"});
    fs::permissions(directory, fs::perms::owner_all);
  }
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  if (::chown(compiled.c_str(), 12345, 12345) != 0) GTEST_SKIP() << "this root has no other users";
  ExpectSays(OpenError({}), ErrorCode::kInvalidInput,
             {compiled + ": expected a directory of this user's", "12345"});
  EXPECT_EQ(standin::TakeAccount().compiled, 0);
}

TEST_F(AppleErrorsTest, AModelThatIsNotThePackage_IsRefused) {
  ExpectSays(OpenError({.missing_feature = "k_cache_0"}), ErrorCode::kCorrupt,
             {"expected the state 'k_cache_0'", "found none"});
  ExpectSays(OpenError({.missing_feature = "attn_mask"}), ErrorCode::kCorrupt,
             {"expected the input 'attn_mask'", "found none"});
  ExpectSays(OpenError({.other_shape = "v_cache_1"}), ErrorCode::kCorrupt,
             {"expected the state 'v_cache_1'", ", 7]"});
  ExpectSays(OpenError({.other_shape = "logits"}), ErrorCode::kCorrupt,
             {"expected the output 'logits'", ", 7]"});
}

TEST_F(AppleErrorsTest, ComputeUnits_AreChecked) {
  ExpectSays(OpenError({}, "fast"), ErrorCode::kInvalidInput,
             {"cpu-and-neural-engine, all, cpu-and-gpu, cpu-only, interpreter", "'fast'"});
  standin::Behave({});
  const auto model = Open(StoryPackage(), "cpu-only");
  ASSERT_TRUE(model.has_value());
  EXPECT_EQ((*model)->summary.instruction_set, "Core ML, cpu-only");
}

TEST_F(AppleErrorsTest, AnOutputThatIsMissingOrHasNoPlace_IsAnErrorOfTheStep) {
  const auto model = Open(StoryPackage());
  ASSERT_TRUE(model.has_value());
  standin::Behave({.missing_output = "hidden"});
  ExpectSays({ErrorCode::kIo, Decode(model->get(), 2).error}, ErrorCode::kIo,
             {"layers [0, 2)", "expected the output 'hidden', found none"});
  standin::Behave({.bad_strides = "logits"});
  ExpectSays({ErrorCode::kIo, Decode(model->get(), 2).error}, ErrorCode::kIo,
             {"head full:4", "output 'logits': expected strides inside"});
}

// A prediction fails, or raises: the step says so, and the same conversation goes on.
TEST_F(AppleErrorsTest, APredictionThatFails_IsAnErrorOfItsStepAlone) {
  const auto model = Open(StoryPackage());
  ASSERT_TRUE(model.has_value());
  const Decoded expected = Decode(model->get(), 8);
  ASSERT_EQ(expected.error, "");
  const auto layers = static_cast<int64_t>((*model)->pipeline->Layers().size());
  const int64_t step = layers + 4;
  for (int64_t at = 0; at < step; ++at) {
    SCOPED_TRACE(at);
    SessionOptions options;
    options.capacity_tokens = 64;
    const auto session = Session::Create((*model)->executor, std::move(options));
    ASSERT_TRUE(session.has_value());
    const auto prompt =
        (*model)->tokenizer->Encode("Once upon a time there was", {.add_bos = true});
    ASSERT_TRUE((*session)->Append(*prompt).has_value());
    std::vector<int32_t> tokens = {(*session)->Decode()->token};
    standin::Behave({.seed = 1, .ignores_backings = 0.5, .fails_at = at});
    const auto failed = (*session)->Decode();
    ASSERT_FALSE(failed.has_value());
    ExpectSays(failed.error(), ErrorCode::kIo,
               {at < layers ? "layers [" : "head full:4",
                "Core ML: could not predict: Unable to compute the prediction",
                "com.apple.appleneuralengine -14"});
    while (tokens.size() < 8) {
      const auto choice = (*session)->Decode();
      ASSERT_TRUE(choice.has_value()) << choice.error().message;
      tokens.push_back(choice->token);
    }
    EXPECT_EQ(tokens, expected.tokens);
  }
}

TEST_F(AppleErrorsTest, AnExceptionOfCoreMl_IsAnErrorOfTheStep) {
  const auto model = Open(StoryPackage());
  ASSERT_TRUE(model.has_value());
  standin::Behave({.throws = 1});
  const Decoded decoded = Decode(model->get(), 1);
  ExpectSays({ErrorCode::kIo, decoded.error}, ErrorCode::kIo,
             {"Core ML: could not predict: exception NSGenericException",
              "the stand-in was told to raise"});
}

TEST_F(AppleErrorsTest, RandomFailures_NeverAbortAndNeverChangeTokens) {
  const auto model = Open(StoryPackage({.widths = "1,4"}));
  ASSERT_TRUE(model.has_value());
  const Decoded expected = Decode(model->get(), 16);
  SessionOptions options;
  options.capacity_tokens = 64;
  standin::Behave(
      {.seed = 11, .ignores_backings = 0.5, .pads = 0.5, .fails = 0.04, .throws = 0.02});
  const auto session = Session::Create((*model)->executor, std::move(options));
  ASSERT_TRUE(session.has_value());
  const auto prompt = (*model)->tokenizer->Encode("Once upon a time there was", {.add_bos = true});
  std::vector<int32_t> tokens;
  int failures = 0;
  // What a failed reading left unread, the first step reads.
  failures += (*session)->Append(*prompt) ? 0 : 1;
  for (int i = 0; i < 400 && tokens.size() < 16; ++i) {
    const auto choice = (*session)->Decode();
    if (choice) tokens.push_back(choice->token);
    failures += choice ? 0 : 1;
  }
  EXPECT_GT(failures, 3);
  EXPECT_EQ(tokens, expected.tokens);
}

}  // namespace
}  // namespace headway::apple_test

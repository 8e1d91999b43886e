// The certified head from package to tokens: the full head's tokens for every way of sampling, and
// packages whose planes are not those of their rows.

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "headway/engine.h"
#include "lmhead/planes.h"
#include "model_fixture.h"
#include "patched_file.h"

namespace headway::parity {
namespace {

struct ChoiceWay {
  const char* name;
  SamplingParams params;
};

std::vector<ChoiceWay> Ways() {
  std::vector<ChoiceWay> ways = {
      {.name = "greedy", .params = {}},
      {.name = "temperature", .params = {.temperature = 0.8F, .seed = 3}},
      {.name = "top-k", .params = {.temperature = 1.0F, .top_k = 5, .seed = 4}},
      {.name = "top-k and top-p",
       .params = {.temperature = 1.0F, .top_k = 8, .top_p = 0.7F, .seed = 5}},
      {.name = "min-p", .params = {.temperature = 1.5F, .min_p = 0.3F, .seed = 6}},
      {.name = "top-p", .params = {.temperature = 1.0F, .top_p = 0.9F, .seed = 7}},
      {.name = "top-p and min-p",
       .params = {.temperature = 1.5F, .top_p = 0.8F, .min_p = 0.1F, .seed = 11}},
      {.name = "top-p, penalty and bias",
       .params = {.temperature = 1.0F,
                  .top_p = 0.6F,
                  .repeat_penalty = 1.3F,
                  .repeat_last_n = 8,
                  .logit_bias = {{7, 3.0F}, {9, -std::numeric_limits<float>::infinity()}},
                  .seed = 12}},
      {.name = "penalty", .params = {.repeat_penalty = 1.3F, .repeat_last_n = 8}},
      {.name = "penalty and temperature",
       .params = {.temperature = 0.7F, .repeat_penalty = 1.3F, .repeat_last_n = 4, .seed = 8}},
      {.name = "bias",
       .params = {.logit_bias = {{7, 30.0F}, {9, -std::numeric_limits<float>::infinity()}}}},
      {.name = "few allowed",
       .params = {.temperature = 1.0F, .allow_ids = {3, 77, 130}, .seed = 9}},
  };
  ChoiceWay many{.name = "many allowed", .params = {.temperature = 1.0F, .seed = 10}};
  for (int32_t id = 0; id < 320; id += 2) many.params.allow_ids.push_back(id);
  ways.push_back(many);
  return ways;
}

Result<Engine> OpenEngine(const std::string& package, const std::string& head) {
  EngineOptions options;
  options.head = head;
  return Engine::Open(package, options);
}

GenerateOptions WithCertificate(const std::string& certificate, int64_t audit_every = 0) {
  GenerateOptions options;
  options.max_new_tokens = 12;
  options.certificate = certificate;
  options.audit_every = audit_every;
  options.stop_at_end = false;
  return options;
}

// Certified sessions stop at an audit that finds another token.
std::vector<int32_t> Decode(const OpenedModel& model, const SamplingParams& params, int64_t audit,
                            uint64_t* fallbacks) {
  SessionOptions options{.capacity_tokens = 60, .sampling = params};
  options.certified.audit_every = audit;
  const auto session = NewSession(model, std::move(options));
  EXPECT_TRUE(session->Append(TestIds(8, 320)));
  while (session->Tokens().size() < 60) {
    const auto choice = session->Decode();
    EXPECT_TRUE(choice) << choice.error().message;
    if (!choice) break;
  }
  *fallbacks = session->GetCounters().head_fallbacks;
  return {session->Tokens().begin(), session->Tokens().end()};
}

TEST(CertifiedHead, GivesTheFullHeadsTokensForEveryWayOfSampling) {
  for (const char* shape :
       {"tiny-phi", "tiny-llama", "tiny-qwen3", "tiny-gemma2", "tiny-gemma3", "tiny-granite"}) {
    for (const char* type : {"q8_0", "q4_k_m", "f16"}) {
      const TestModel file(shape, type);
      const std::string package = file.Pack("2", {"full:2", "certified", "reduced:40"});
      const auto full = OpenPackage(package, {.head = "full:2"});
      const auto certified = OpenPackage(package, {.head = "certified"});
      const auto reduced = OpenPackage(package, {.head = "reduced:40"});
      ASSERT_TRUE(full != nullptr && certified != nullptr && reduced != nullptr);
      for (const ChoiceWay& way : Ways()) {
        SCOPED_TRACE(std::string(shape) + " " + type + " " + way.name);
        uint64_t none = 0;
        uint64_t fallbacks = 0;
        const auto expected = Decode(*full, way.params, 0, &none);
        EXPECT_EQ(Decode(*reduced, way.params, 3, &fallbacks), expected);
        EXPECT_EQ(Decode(*certified, way.params, 3, &fallbacks), expected);
        EXPECT_EQ(none, 0U);
      }
    }
  }
}

// Worst-case bounds are too wide to know the mass of a flat distribution: most choices fall back, so
// that the full head takes over, with the same tokens; and stays, where that is not wanted.
TEST(CertifiedHead, AfterTooManyFallbacks_TheFullHeadTakesOver) {
  const TestModel file("tiny-phi", "q8_0");
  const std::string package = file.Pack("2", {"full:2", "certified"});
  const auto full = OpenPackage(package, {.head = "full:2"});
  const auto certified = OpenPackage(package, {.head = "certified"});
  ASSERT_TRUE(full != nullptr && certified != nullptr);
  constexpr uint64_t kChoices = 100;
  std::vector<std::vector<int32_t>> tokens;
  for (const OpenedModel* const model : {full.get(), certified.get(), certified.get()}) {
    const bool may_switch = tokens.size() < 2;
    SessionOptions options{.capacity_tokens = 120,
                           .sampling = {.temperature = 3.0F, .top_p = 0.95F, .seed = 5}};
    options.certified.mode.deterministic = true;
    options.certified.may_switch = may_switch;
    const auto session = NewSession(*model, std::move(options));
    ASSERT_TRUE(session->Append(TestIds(8, 320)));
    for (uint64_t i = 0; i < kChoices; ++i) ASSERT_TRUE(session->Decode());
    const Counters& counters = session->GetCounters();
    if (tokens.empty() || !may_switch) {
      EXPECT_EQ(counters.head_switched_to_full, 0U);
    } else {
      EXPECT_GT(counters.head_fallbacks, uint64_t{FallbackWindow::kMostFallbacks});
      EXPECT_LE(counters.head_fallbacks + counters.head_switched_to_full, kChoices);
      EXPECT_GT(counters.head_switched_to_full, 0U);
    }
    tokens.emplace_back(session->Tokens().begin(), session->Tokens().end());
  }
  EXPECT_EQ(tokens[1], tokens[0]);
  EXPECT_EQ(tokens[2], tokens[0]);
}

// As files look that were trained for 4 bits: the head, or the embedding that serves as one, is
// left in 16.
TEST(CertifiedHead, OfSixteenBitsOverABodyOfFour_GivesTheFullHeadsTokens) {
  for (const char* shape : {"tiny-phi", "tiny-llama"}) {  // tied, and not
    for (const char* head_type : {"f16", "bf16"}) {
      const TestModel file(shape, "q4_0", head_type);
      const std::string package = file.Pack("2", {"full:2", "certified"});
      const auto full = OpenPackage(package, {.head = "full:2"});
      const auto certified = OpenPackage(package, {.head = "certified"});
      ASSERT_TRUE(full != nullptr && certified != nullptr);
      for (const ChoiceWay& way : Ways()) {
        SCOPED_TRACE(std::string(shape) + " " + head_type + " " + way.name);
        uint64_t none = 0;
        uint64_t fallbacks = 0;
        const auto expected = Decode(*full, way.params, 0, &none);
        EXPECT_EQ(Decode(*certified, way.params, 3, &fallbacks), expected);
        EXPECT_EQ(none, 0U);
      }
      const std::vector<int32_t> ids = TestIds(18, full->pipeline->model().vocab_size);
      const std::vector<float> logits = TeacherForced(*full, ids);
      for (const std::string& set : InstructionSets()) {
        const auto other =
            OpenPackage(package, {.threads = 2, .instruction_set = set, .head = "full:2"});
        EXPECT_TRUE(SameBits(TeacherForced(*other, ids, 5), logits)) << set;
      }
    }
  }
}

TEST(CertifiedHead, PacksAloneWithRowsOfItsOwn) {
  const TestModel file("tiny-phi", "q8_0");
  const auto full = OpenPackage(file.Pack("2", {"full:1"}));
  const auto certified = OpenPackage(file.Pack("2", {"certified"}));
  ASSERT_TRUE(full != nullptr && certified != nullptr);
  uint64_t fallbacks = 0;
  EXPECT_EQ(Decode(*certified, {}, 1, &fallbacks), Decode(*full, {}, 0, &fallbacks));
}

TEST(ReducedHead, PacksAloneAndCountsTokensThatNeedTheRest) {
  const TestModel file("tiny-phi", "q8_0");
  const auto full = OpenPackage(file.Pack("2", {"full:1"}));
  const auto reduced = OpenPackage(file.Pack("2", {"reduced:300"}));
  ASSERT_TRUE(full != nullptr && reduced != nullptr);
  uint64_t fallbacks = 0;
  EXPECT_EQ(Decode(*reduced, {}, 1, &fallbacks), Decode(*full, {}, 0, &fallbacks));
  const auto session = NewSession(*reduced, 60);
  ASSERT_TRUE(session->Append(TestIds(8, 320)));
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(session->Decode());
  const Counters& c = session->GetCounters();
  EXPECT_EQ(c.head_rows_computed, c.steps * 300 + c.head_fallbacks * 320);
  EXPECT_LE(c.head_rest_needed, c.steps);
  EXPECT_TRUE(c.head_rest_needed > 0 || c.head_rows_rescored == 0);
}

TEST(ReducedHead, FirstRowsAreTheTokensThatATextUsesMost) {
  const TestModel file("tiny-phi", "q8_0");
  const auto emitter = MakeEmitterFor("cpu");
  ASSERT_TRUE(emitter);
  pack::PackOptions options{.topology = "2", .heads = {"reduced:2"}};
  options.usage_text = "zzzzzqqqqqqa";
  const auto manifest = pack::Pack(file.File(), file.Path("usage"), options, emitter->get());
  ASSERT_TRUE(manifest) << manifest.error().message;
  const auto opened = OpenPackage(file.Path("usage"));
  ASSERT_NE(opened, nullptr);
  ASSERT_TRUE(manifest->heads[0].first.has_value());
  std::vector<int32_t> wanted;
  for (const char* letter : {"q", "z"})
    wanted.push_back(opened->tokenizer->Encode(letter, {.add_bos = false})->back());
  std::sort(wanted.begin(), wanted.end());
  EXPECT_EQ(manifest->heads[0].first->ids, wanted);
  for (const char* wrong : {"reduced", "reduced:0", "reduced:320", "reduced:-1", "reduced:x"}) {
    options.heads = {wrong};
    const auto refused = pack::Pack(file.File(), file.Path("no"), options, emitter->get());
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidInput) << wrong;
  }
}

TEST(CertifiedHead, LogprobsComeFromTheFullHead) {
  const TestModel file("tiny-phi", "q8_0");
  const std::string package = file.Pack("2", {"full:2", "certified"});
  std::vector<float> logprobs[2];
  size_t index = 0;
  for (const char* head : {"full:2", "certified"}) {
    const auto model = OpenPackage(package, {.head = head});
    ASSERT_TRUE(model != nullptr);
    const auto session =
        NewSession(*model, {.capacity_tokens = 20, .sampling = {}, .want_logprobs = true});
    ASSERT_TRUE(session->Append(TestIds(8, 320)));
    for (int i = 0; i < 10; ++i) {
      const auto choice = session->Decode();
      ASSERT_TRUE(choice);
      logprobs[index].push_back(choice->logprob);
    }
    ++index;
  }
  EXPECT_TRUE(SameBits(logprobs[0], logprobs[1]));
}

TEST(CertifiedHead, PlanesOfOtherRowsDoNotOpen) {
  const TestModel a("tiny-phi", "q8_0");
  const TestModel b("tiny-phi", "q4_0");
  const std::string package = a.Pack("2", {"full:2", "certified"}, 0);
  const std::string other = b.Pack("2", {"full:2", "certified"}, 0);  // of the same size
  std::ifstream from(other + "/head_certified.planes", std::ios::binary);
  std::ofstream to(package + "/head_certified.planes", std::ios::binary);
  to << from.rdbuf();
  to.close();
  const auto engine = OpenEngine(package, "certified");
  ASSERT_FALSE(engine.has_value());
  EXPECT_EQ(engine.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(engine.error().message.find("do not belong together"), std::string::npos);
  // The full head of the same package is not concerned.
  EXPECT_TRUE(OpenEngine(package, "full:2").has_value());
}

TEST(CertifiedHead, StatesThatAreNotNumbers_NameTheirLayersAndTheSessionGoesOn) {
  const TestModel file("tiny-llama", "q8_0");  // its embeddings are not the head's rows
  PoisonRow(file.File(), "token_embd.weight", 200);
  const auto model = OpenPackage(file.Pack("1", {"certified"}));
  ASSERT_TRUE(model != nullptr);
  const std::vector<int32_t> prompt = TestIds(5, 100);
  SamplingParams never_200;
  never_200.logit_bias = {{200, -100.0F}};
  const auto session = NewSession(*model, {.capacity_tokens = 30, .sampling = never_200});
  ASSERT_TRUE(session->Append(prompt));
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(session->Decode());
  const auto refused = session->Append(std::vector<int32_t>{200});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(refused.error().message,
            "layers [0, 1): expected finite hidden states, found NaN or infinity at position 9: "
            "the weights overflow in this model file");
  session->Truncate(9);
  const auto other = NewSession(*model, {.capacity_tokens = 30, .sampling = never_200});
  ASSERT_TRUE(other->Append(prompt));
  while (other->Tokens().size() < 30) ASSERT_TRUE(other->Decode());
  while (session->Tokens().size() < 30) ASSERT_TRUE(session->Decode());
  EXPECT_TRUE(std::equal(other->Tokens().begin(), other->Tokens().end(), session->Tokens().begin(),
                         session->Tokens().end()));
}

// Planes without scales bound every row by zero: the certified choice is the best of a few rows.
TEST(CertifiedHead, AnAuditOfWrongPlanes_StopsWithAReportAndAppendsNothing) {
  const TestModel file("tiny-phi", "q8_0");
  const std::string package = file.Pack("2", {"full:2", "certified"});
  {
    std::fstream planes(package + "/head_certified.planes",
                        std::ios::binary | std::ios::in | std::ios::out);
    lmhead::PlanesHeader header{};
    planes.read(reinterpret_cast<char*>(&header), sizeof header);
    const auto places = lmhead::PlanesPlacesOf(header.num_rows, lmhead::ShapeOf(header));
    planes.seekp(places.signs);
    planes << std::string(static_cast<size_t>(places.end - places.signs), '\0');
  }
  const auto full = OpenPackage(package, {.head = "full:2"});
  const auto certified = OpenPackage(package, {.head = "certified"});
  ASSERT_TRUE(full != nullptr && certified != nullptr);
  uint64_t none = 0;
  const std::vector<int32_t> expected = Decode(*full, {}, 0, &none);
  SessionOptions options{.capacity_tokens = 60, .sampling = {}};
  options.certified.audit_every = 1;
  const auto session = NewSession(*certified, std::move(options));
  ASSERT_TRUE(session->Append(TestIds(8, 320)));
  auto choice = session->Decode();
  while (choice && session->Tokens().size() < 60) choice = session->Decode();
  ASSERT_FALSE(choice);
  EXPECT_EQ(choice.error().code, ErrorCode::kGateFailed);
  const std::span<const int32_t> tokens = session->Tokens();
  ASSERT_LT(tokens.size(), expected.size());
  EXPECT_TRUE(std::equal(tokens.begin(), tokens.end(), expected.begin()));
  const std::string start = "audit: position " + std::to_string(tokens.size()) +
                            ": expected the full head's token " +
                            std::to_string(expected[tokens.size()]);
  EXPECT_EQ(choice.error().message.rfind(start, 0), 0U) << choice.error().message;
}

TEST(CertifiedHead, CertificatesComeWithEveryTokenAndNeedACertifiedHead) {
  const TestModel file("tiny-phi", "q8_0");
  const std::string package = file.Pack("2", {"full:2", "certified"});
  const auto engine = OpenEngine(package, "certified");
  ASSERT_TRUE(engine.has_value());
  const auto prompt = TestIds(8, 320);
  const auto result = engine->Generate(prompt, WithCertificate("probabilistic:1e-6"), nullptr);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  ASSERT_EQ(result->certificates.size(), 12U);
  for (size_t i = 0; i < 12; ++i) {
    const Certificate& certificate = result->certificates[i];
    EXPECT_EQ(certificate.token, result->ids[i]);
    EXPECT_GT(certificate.bytes_read, 0U);
    if (certificate.fallback) continue;
    EXPECT_EQ(certificate.delta, 1e-6);
    EXPECT_GE(certificate.value, certificate.theta);
    EXPECT_EQ(certificate.rows_screened, 320U);
  }
  const auto full = OpenEngine(package, "full:2");
  ASSERT_TRUE(full.has_value());
  for (const GenerateOptions& options :
       {WithCertificate("deterministic"), WithCertificate("", 2)}) {
    const auto refused = full->Generate(prompt, options, nullptr);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidInput);
  }
  EXPECT_FALSE(engine->Generate(prompt, WithCertificate("probabilistic:0.5"), nullptr).has_value());
}

}  // namespace
}  // namespace headway::parity

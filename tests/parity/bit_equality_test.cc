// The logits of a teacher-forced sequence have the same bits whatever the topology, the number of
// head shards, threads and tokens a step, and the instruction set (docs/arithmetic.md promises it).
// For every weight type.

#include <gtest/gtest.h>

#include "gguf/gguf_file.h"
#include "graph/cut.h"
#include "model/model.h"
#include "model_fixture.h"

namespace headway::parity {
namespace {

// Two and a half steps of a wide kernel, three key tiles, below test-phi's border of 64.
constexpr int64_t kTokens = 40;

class BitEqualityTest : public testing::TestWithParam<std::string> {
 protected:
  // One shard of layers, one of the head, one thread, the fastest instruction set, all tokens at
  // once.
  std::vector<float> Baseline() const {
    const auto opened = OpenPackage(model_.Pack("7", {"full:1"}));
    return TeacherForced(*opened, Ids(*opened));
  }
  static std::vector<int32_t> Ids(const OpenedModel& opened) {
    return TestIds(kTokens, opened.pipeline->model().vocab_size);
  }

  const TestModel model_{"test-phi", GetParam()};
};

TEST_P(BitEqualityTest, EveryTopology_SameLogits) {
  const std::vector<float> expected = Baseline();
  for (const char* topology : {"1", "2", "3", "4", "6", "0:5,5:6,6:7", "0:1,1:7"}) {
    const auto opened = OpenPackage(model_.Pack(topology, {"full:2"}));
    EXPECT_TRUE(SameBits(TeacherForced(*opened, Ids(*opened)), expected)) << topology;
  }
}

TEST_P(BitEqualityTest, EveryHeadShardCount_SameLogits) {
  std::vector<std::string> heads;
  for (int64_t n = 1; n <= graph::kMaxHeadShards; ++n) heads.push_back("full:" + std::to_string(n));
  const std::string package = model_.Pack("7", heads);
  const auto one = OpenPackage(package, {.head = heads[0]});
  std::vector<int32_t> ids = Ids(*one);
  ids.resize(5);
  const std::vector<float> expected = TeacherForced(*one, ids);
  for (const std::string& head : heads) {
    const auto opened = OpenPackage(package, {.head = head});
    ASSERT_TRUE(SameBits(TeacherForced(*opened, ids), expected)) << head;
  }
}

TEST_P(BitEqualityTest, EveryThreadCount_SameLogits) {
  const std::vector<float> expected = Baseline();
  const std::string package = model_.Pack("4", {"full:3"});
  for (int threads = 1; threads <= 4; ++threads) {
    const auto opened = OpenPackage(package, {.threads = threads});
    EXPECT_TRUE(SameBits(TeacherForced(*opened, Ids(*opened)), expected)) << threads << " threads";
    const std::vector<int32_t> few = TestIds(8, opened->pipeline->model().vocab_size);
    const std::span<const float> first =
        std::span(expected).first(few.size() * expected.size() / kTokens);
    EXPECT_TRUE(SameBits(TeacherForced(*opened, few, 1), first))
        << threads << " threads, one by one";
  }
}

TEST_P(BitEqualityTest, EveryInstructionSet_SameLogits) {
  const std::string package = model_.Pack("3", {"full:2"});
  const auto fastest = OpenPackage(package);
  std::vector<int32_t> ids =
      TestIds(18, fastest->pipeline->model().vocab_size);  // the reference set takes its time
  const std::vector<float> expected = TeacherForced(*fastest, ids);
  for (const std::string& set : InstructionSets()) {
    const auto opened = OpenPackage(package, {.threads = 1, .instruction_set = set});
    ASSERT_EQ(opened->kernels->kernels.name, set);
    for (const int64_t piece : {0, 1, 5}) {
      EXPECT_TRUE(SameBits(TeacherForced(*opened, ids, piece), expected))
          << set << ", pieces of " << piece;
    }
  }
}

TEST_P(BitEqualityTest, EveryBatchWidth_SameLogits) {
  const std::vector<float> expected = Baseline();
  const auto opened = OpenPackage(model_.Pack("7", {"full:1"}));
  const std::vector<int32_t> ids = Ids(*opened);
  const auto vocab_size = static_cast<size_t>(opened->pipeline->model().vocab_size);
  const std::vector<float> last(expected.end() - static_cast<std::ptrdiff_t>(vocab_size),
                                expected.end());
  for (const int64_t piece : {1, 2, 3, 5, 8, 16, 17}) {
    EXPECT_TRUE(SameBits(TeacherForced(*opened, ids, piece), expected)) << "pieces of " << piece;
    // Without logits on the way: a prefill takes other step widths, and the head sees one row.
    const auto session = NewSession(*opened, kTokens);
    for (size_t begin = 0; begin < ids.size(); begin += static_cast<size_t>(piece)) {
      const size_t count = std::min(static_cast<size_t>(piece), ids.size() - begin);
      ASSERT_TRUE(session->Append(std::span(ids).subspan(begin, count)));
    }
    EXPECT_TRUE(SameBits(LastLogits(session.get()), last)) << "appended in pieces of " << piece;
  }
  const auto session = NewSession(*opened, kTokens);
  ASSERT_TRUE(session->Append(ids));
  EXPECT_TRUE(SameBits(LastLogits(session.get()), last)) << "one prefill";
}

// A shard of one row of the head's matrix gives the bit pattern that the row has among all others.
TEST_P(BitEqualityTest, RowAlone_SameLogit) {
  const auto opened = OpenPackage(model_.Pack("7", {"full:1"}));
  const auto session = NewSession(*opened, kTokens);
  ASSERT_TRUE(session->Append(Ids(*opened)));
  const std::vector<float> expected = LastLogits(session.get());
  const std::vector<float> hidden(session->HiddenState().begin(), session->HiddenState().end());

  const auto file = gguf::GgufFile::Open(model_.File());
  ASSERT_TRUE(file);
  const auto config = model::ReadModelConfig(*file);
  const auto graph = model::BuildGraph(*file, *config);
  const auto head = graph::CutStages(*graph, {.begin = 7, .end = 8});
  ASSERT_TRUE(head) << head.error().message;
  const auto emitter = MakeEmitterFor("cpu");
  for (const int64_t row : {0, 1, 15, 16, 517, 1031}) {
    const auto part = graph::CutHeadRows(*head, {.begin = row, .end = row + 1});
    ASSERT_TRUE(part) << part.error().message;
    const std::string path = model_.Path("row.shard");
    const auto emitted = (*emitter)->Emit(
        {}, *part, [&](const std::string& name) { return file->GetTensor(name); }, path,
        [](uint64_t) {});
    ASSERT_TRUE(emitted) << emitted.error().message;
    const auto shard = opened->loader->LoadHead({.paths = {&path, 1}});
    ASSERT_TRUE(shard) << shard.error().message;
    const auto workspace = (*shard)->NewWorkspace(0);
    AlignedBuffer scratch(static_cast<size_t>((*shard)->ScratchBytes()));
    float logit = 0.0F;
    EXPECT_TRUE((*shard)
                    ->Run({.num_tokens = 1,
                           .input = hidden.data(),
                           .output = &logit,
                           .output_stride = 1,
                           .scratch = scratch.data(),
                           .workspace = workspace.get()})
                    .has_value());
    EXPECT_TRUE(SameBits({&logit, 1}, {&expected[static_cast<size_t>(row)], 1})) << "row " << row;
  }
}

// A few of all these together, quick enough for every run of the unit tests.
class BitVariationTest : public BitEqualityTest {};

TEST_P(BitVariationTest, MixedMachines_SameLogits) {
  constexpr Way kWays[] = {
      {"6", "full:4", 2, 0}, {"0:5,5:6,6:7", "full:64", 1, 1}, {"2", "full:3", 1, 5}};
  const std::string package = model_.Pack("7", {"full:1"});
  const auto baseline = OpenPackage(package);
  const std::vector<int32_t> ids = TestIds(12, baseline->pipeline->model().vocab_size);
  const std::vector<float> expected = TeacherForced(*baseline, ids);
  ExpectSameLogits(model_, kWays, ids, expected);
  for (const std::string& set : InstructionSets()) {
    const auto opened = OpenPackage(package, {.threads = 1, .instruction_set = set});
    ASSERT_EQ(opened->kernels->kernels.name, set);
    EXPECT_TRUE(SameBits(TeacherForced(*opened, ids, 7), expected)) << set;
  }
}

std::string ParameterName(const testing::TestParamInfo<std::string>& info) { return info.param; }
INSTANTIATE_TEST_SUITE_P(Slow, BitEqualityTest, testing::ValuesIn(AllTypes()), ParameterName);
INSTANTIATE_TEST_SUITE_P(AllTypes, BitVariationTest, testing::ValuesIn(AllTypes()), ParameterName);

}  // namespace
}  // namespace headway::parity

// goldens.bin: what is written is read; what is damaged is refused or harmless.

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "manifest/goldens.h"
#include "model_fixture.h"

namespace headway::gate_test {
namespace {

Goldens Example() {
  Goldens goldens;
  goldens.device = "cpu";
  goldens.num_layers = 2;
  goldens.hidden_size = 3;
  goldens.vocab_size = 5;
  goldens.ids = {4, 0};
  goldens.hidden.assign(3 * 2 * 3, 0.5F);
  goldens.logits.assign(2 * 5, -1.0F);
  goldens.final_gain.assign(3, 1.0F);
  goldens.reference_hidden.assign(2 * 3, 0.25F);
  goldens.reference_logits.assign(2 * 5, 2.0F);
  goldens.products.push_back(
      {.weight = "w", .rows = 4, .columns = 3, .y = {1, 2, 3, 4, 5, 6, 7, 8}});
  goldens.products.push_back(
      {.weight = "v", .rows = 2, .columns = 3, .y = {1, 2, 3, 4}, .norms = {5, 6}});
  return goldens;
}

class GoldensFile : public testing::Test {
 protected:
  std::string Bytes() const {
    std::ifstream in(Path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  void Write(const std::string& bytes) const { std::ofstream(Path(), std::ios::binary) << bytes; }
  std::string Path() const { return directory_.Path(kGoldensFileName); }

  const parity::TemporaryDirectory directory_;
};

TEST_F(GoldensFile, RoundTrip) {
  const auto entry = WriteGoldens(Example(), directory_.Path("."));
  ASSERT_TRUE(entry) << entry.error().message;
  EXPECT_EQ(entry->bytes, Bytes().size());
  const auto back = ReadGoldens(Path());
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, Example());
}

// Files of before there were norms: the magic, and no count behind each product.
TEST_F(GoldensFile, FirstVersion_IsReadWithoutNorms) {
  Goldens expected = Example();
  expected.products.pop_back();
  ASSERT_TRUE(WriteGoldens(expected, directory_.Path(".")));
  std::string bytes = Bytes();
  bytes[7] = '1';
  bytes.resize(bytes.size() - sizeof(uint64_t));
  Write(bytes);
  const auto back = ReadGoldens(Path());
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, expected);
  EXPECT_FALSE(back->HasRowNorms());
}

TEST_F(GoldensFile, TruncatedAnywhereOrLonger_IsRefused) {
  ASSERT_TRUE(WriteGoldens(Example(), directory_.Path(".")));
  const std::string bytes = Bytes();
  for (size_t length = 0; length < bytes.size(); ++length) {
    Write(bytes.substr(0, length));
    EXPECT_FALSE(ReadGoldens(Path())) << length;
  }
  Write(bytes + "x");
  EXPECT_FALSE(ReadGoldens(Path()));
}

TEST_F(GoldensFile, AnyBitFlipped_NeverCrashes) {
  ASSERT_TRUE(WriteGoldens(Example(), directory_.Path(".")));
  const std::string bytes = Bytes();
  int refused = 0;
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    Write(flipped);
    refused += ReadGoldens(Path()) ? 0 : 1;
  }
  EXPECT_GT(refused, 400);
}

TEST_F(GoldensFile, ProbesAreTheSameOnEveryMachine) {
  const std::vector<float> x = ProbeInputs("blk.0.ffn_down.weight", 64);
  ASSERT_EQ(x.size(), 128U);
  for (const float value : x) {
    EXPECT_GE(value, -1.0F);
    EXPECT_LT(value, 1.0F);
  }
  EXPECT_NE(x, ProbeInputs("blk.1.ffn_down.weight", 64));
  EXPECT_EQ(x, ProbeInputs("blk.0.ffn_down.weight", 64));
}

}  // namespace
}  // namespace headway::gate_test

// Models whose residual stream goes beyond what 16-bit floats hold: a factor chosen from recorded
// values keeps them inside; without it the gate says where they end.

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "gates/gate.h"
#include "gguf/gguf_file.h"
#include "gguf/gguf_writer.h"
#include "model_fixture.h"
#include "pack/pack.h"
#include "pack/record_goldens.h"
#include "tensor/codec.h"

namespace headway::gate_test {
namespace {

// A copy of a model in F32 in which tensors whose names end so are `factor` times what they were.
void CopyLouder(const std::string& from, const std::string& to,
                const std::vector<std::string>& endings, float factor) {
  const auto source = gguf::GgufFile::Open(from);
  ASSERT_TRUE(source) << source.error().message;
  gguf::GgufWriter writer;
  for (const gguf::MetadataEntry& entry : source->Metadata()) writer.AddCopy(entry);
  for (const gguf::TensorInfo& tensor : source->Tensors())
    writer.AddTensor(tensor.name, *tensor.type, tensor.shape);
  ASSERT_TRUE(writer.Begin(to));
  for (const gguf::TensorInfo& tensor : source->Tensors()) {
    const auto bytes = source->Mapping().Bytes().subspan(tensor.offset_bytes, tensor.size_bytes);
    const bool louder = std::any_of(endings.begin(), endings.end(), [&](const std::string& end) {
      return tensor.name.ends_with(end);
    });
    if (!louder) {
      ASSERT_TRUE(writer.WriteTensorBytes(tensor.name, bytes));
      continue;
    }
    ASSERT_EQ(*tensor.type, DataType::kF32) << tensor.name;
    const auto* const first = reinterpret_cast<const float*>(bytes.data());
    std::vector<float> values(first, first + bytes.size() / sizeof(float));
    for (float& value : values) value *= factor;
    ASSERT_TRUE(writer.WriteTensorBytes(tensor.name, std::as_bytes(std::span(values))));
  }
  ASSERT_TRUE(writer.Finish());
}

struct Case {
  const char* shape;
  std::vector<std::string> louder;
  float factor;
};

class HalfRangeTest : public testing::TestWithParam<Case> {
 protected:
  gates::GateReport Gate(std::optional<float> residual_scale) {
    const parity::TestModel model(GetParam().shape, "f32");
    const std::string loud = model.Path("loud.gguf");
    CopyLouder(model.File(), loud, GetParam().louder, GetParam().factor);
    const std::string package = model.Path("package");
    auto emitter = MakeEmitterFor("coreml", {.weights = "int8", .residual_scale = residual_scale});
    EXPECT_TRUE(emitter) << emitter.error().message;
    pack::PackOptions options{.topology = "1", .heads = {"full:2"}};
    options.max_seq = 64;
    options.goldens = pack::GoldenOptions{.max_tokens = 12};
    const auto packed = pack::Pack(loud, package, options, emitter->get());
    EXPECT_TRUE(packed) << packed.error().message;
    if (!packed) return {};
    manifest_ = *packed;
    const auto report = gates::RunGates(package, {.threads = 1});
    EXPECT_TRUE(report) << report.error().message;
    return report.value_or(gates::GateReport{});
  }

  Manifest manifest_;
};

TEST_P(HalfRangeTest, RecordedScale_PassesAndIsInTheManifest) {
  const gates::GateReport report = Gate(std::nullopt);
  EXPECT_TRUE(report.Passed()) << gates::ToText(report);
  EXPECT_LE(manifest_.residual_scale, 0x1p-3F);
  const auto reread = ManifestFromJson(ToJson(manifest_), "manifest");
  ASSERT_TRUE(reread) << reread.error().message;
  EXPECT_EQ(reread->residual_scale, manifest_.residual_scale);
}

TEST_P(HalfRangeTest, WithoutScale_TheGateSaysThatValuesAreNotFinite) {
  const gates::GateReport report = Gate(1.0F);
  EXPECT_FALSE(report.Passed());
  EXPECT_EQ(manifest_.residual_scale, 1.0F);
  const std::string text = gates::ToText(report);
  EXPECT_NE(text.find("expected finite values of every op, found NaN or infinity of op"),
            std::string::npos)
      << text;
}

INSTANTIATE_TEST_SUITE_P(
    Models, HalfRangeTest,
    testing::Values(
        Case{"tiny-gemma3", {"post_attention_norm.weight", "post_ffw_norm.weight"}, 0x1p15F},
        Case{"tiny-llama", {"attn_output.weight", "ffn_down.weight"}, 0x1p18F}),
    [](const auto& test) { return std::string(test.param.shape).substr(5); });

}  // namespace
}  // namespace headway::gate_test

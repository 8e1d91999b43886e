// Seeded faults in the planes of certified heads: no digest shows them, and no choice may ever.

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/file_tree.h"
#include "base/file_writer.h"
#include "gates/gate.h"
#include "kernels/plane_layout.h"
#include "lmhead/planes.h"
#include "model_fixture.h"
#include "pack/pack.h"

namespace headway::gate_test {
namespace {

using Damage = std::function<void(std::byte* file, const lmhead::PlanesHeader& header)>;

class PlanesFaults : public testing::TestWithParam<const char*> {
 protected:
  // The arithmetic gate's verdict on a package whose planes were damaged while it was made.
  GateRecord Gate(const Damage& damage) {
    const std::string device = GetParam();
    const parity::TestModel model("tiny-phi", "q8_0");
    const auto emitter = MakeEmitterFor(device, {});
    EXPECT_TRUE(emitter) << emitter.error().message;
    pack::PackOptions options{.topology = "1", .heads = {"full:2", "certified"}};
    options.rotation_seed = 3;
    if (device == "coreml") options.max_seq = 64;
    options.goldens = pack::GoldenOptions{.max_tokens = 12};
    auto packed = pack::Pack(model.File(), model.Path("package"), options, emitter->get());
    EXPECT_TRUE(packed) << packed.error().message;
    if (!packed) return {};
    FileEntry& planes = *packed->heads.back().planes;
    const std::string directory = model.Path("package");
    Edit(directory + "/" + planes.path, damage);
    const auto tree = DigestTree(directory + "/" + planes.path);
    EXPECT_TRUE(tree) << tree.error().message;
    planes.digest = tree->digest;
    planes.blocks = tree->blocks;
    EXPECT_TRUE(WriteTextFileAtomically(directory + "/" + kManifestFileName, ToJson(*packed)));
    const auto report = gates::RunGates(model.Path("package"), {.threads = 1});
    EXPECT_TRUE(report) << report.error().message;
    if (!report) return {};
    for (const GateRecord& record : report->records) {
      if (record.gate == "arithmetic") return record;
      EXPECT_FALSE(record.Failed()) << record.gate << ": " << record.detail;
    }
    return {};
  }

  static void Edit(const std::string& path, const Damage& damage) {
    std::ifstream in(path, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    lmhead::PlanesHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    damage(reinterpret_cast<std::byte*>(bytes.data()), header);
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out << bytes;
  }
  static void ScaleHalf(std::byte* at, float factor) {
    F16 half;
    std::memcpy(&half, at, sizeof half);
    half = ToF16(ToFloat(half) * factor);
    std::memcpy(at, &half, sizeof half);
  }
};

constexpr int64_t kRow = 41;

TEST_P(PlanesFaults, None_Passes) {
  const GateRecord record = Gate([](std::byte*, const lmhead::PlanesHeader&) {});
  EXPECT_TRUE(record.passed) << record.detail;
}

TEST_P(PlanesFaults, OneSignFlipped_Arithmetic) {
  const GateRecord record = Gate([](std::byte* file, const lmhead::PlanesHeader& header) {
    const auto places = lmhead::PlanesPlacesOf(header.num_rows, lmhead::ShapeOf(header));
    file[places.signs + kernels::SignByteOffset(header.num_channels, 0, 0, kRow)] ^= std::byte{1};
  });
  EXPECT_FALSE(record.passed);
  EXPECT_NE(record.detail.find("head certified, planes of"), std::string::npos) << record.detail;
  EXPECT_NE(record.detail.find("row 41"), std::string::npos) << record.detail;
}

TEST_P(PlanesFaults, OneScaleOffByOnePercent_Arithmetic) {
  const GateRecord record = Gate([](std::byte* file, const lmhead::PlanesHeader& header) {
    const auto places = lmhead::PlanesPlacesOf(header.num_rows, lmhead::ShapeOf(header));
    ScaleHalf(file + places.signs + kernels::SignTermOffset(lmhead::ShapeOf(header), 0, kRow),
              1.01F);
  });
  EXPECT_FALSE(record.passed);
  EXPECT_NE(record.detail.find("row 41"), std::string::npos) << record.detail;
}

TEST_P(PlanesFaults, OneGammaTooSmall_Arithmetic) {
  const GateRecord record = Gate([](std::byte* file, const lmhead::PlanesHeader& header) {
    const int64_t D = header.num_channels;
    const kernels::PlaneShape shape = lmhead::ShapeOf(header);
    const auto places = lmhead::PlanesPlacesOf(header.num_rows, shape);
    ScaleHalf(file + places.records + kRow * kernels::RefineRecordBytes(shape) +
                  kernels::RefineBitsBytes(D) + 2 * kernels::ThreeBitsGammaTerm(shape),
              0.9F);
  });
  EXPECT_FALSE(record.passed);
  EXPECT_NE(record.detail.find("three bits needs a gamma"), std::string::npos) << record.detail;
}

INSTANTIATE_TEST_SUITE_P(Devices, PlanesFaults, testing::Values("cpu", "coreml"),
                         [](const auto& device) { return std::string(device.param); });

}  // namespace
}  // namespace headway::gate_test

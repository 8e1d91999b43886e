#include "device/cpu/emitter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/aligned_buffer.h"
#include "base/file_writer.h"
#include "device/cpu/cpu_device.h"
#include "device/cpu/plan.h"
#include "device/cpu/shard_file.h"
#include "graph/text.h"
#include "kernels/tiles.h"

namespace headway::cpu {
namespace {

// The head with what its kind does with the logits at its end.
Result<graph::Graph> WithSelection(graph::Graph head, std::optional<HeadForm> form) {
  if (form != HeadForm::kTop1 && form != HeadForm::kBlockMax) return head;
  const graph::ValueId logits = head.outputs.front();
  const int64_t rows = head.values[static_cast<size_t>(logits)].channels;
  const int64_t stage = head.nodes.back().stage;
  const auto add = [&](graph::Op op, int64_t channels, graph::Attributes attributes) {
    const auto id = static_cast<graph::ValueId>(head.values.size());
    head.values.push_back(
        {.name = head.values[static_cast<size_t>(logits)].name + "." + graph::Traits(op).name,
         .is_ids = false,
         .channels = channels});
    head.nodes.push_back({.op = op,
                          .inputs = {logits},
                          .weights = {},
                          .output = id,
                          .attributes = attributes,
                          .stage = stage});
    return id;
  };
  if (form == HeadForm::kTop1) {
    head.outputs = {add(graph::Op::kTop1, 2, {})};
  } else {
    head.outputs.push_back(add(graph::Op::kBlockMax, kernels::NumTiles(rows),
                               graph::BlockMaxAttributes{.rows = kernels::kTileRows}));
  }
  HW_TRY_VOID(graph::Verify(head));
  return head;
}

class CpuEmitter final : public Emitter {
 public:
  CpuEmitter() : Emitter(kDevice.traits) {}
  std::string Settings() const override { return kShardMagic; }

  Result<FileEntry> Emit(const ShardUse& use, const graph::Graph& graph,
                         const WeightSource& weights, const std::string& path,
                         const ByteProgress& progress) override {
    HW_TRY(const graph::Graph shard, WithSelection(graph, use.head));
    HW_TRY_VOID(MakePlan(shard, kMaxStepTokens));  // what cannot run must not be packed
    HW_TRY(const StoredWeights stored, LayOut(shard));
    const std::string text = graph::Print(shard);
    const ShardHeader header = MakeShardHeader(text.size(), stored.total_bytes);

    HW_TRY(FileWriter writer, FileWriter::Create(path));
    HW_TRY_VOID(writer.Write(std::as_bytes(std::span<const ShardHeader>(&header, 1))));
    HW_TRY_VOID(writer.Write(text));
    HW_TRY_VOID(writer.PadTo(kDataAlignment));
    for (size_t i = 0; i < shard.weights.size(); ++i) {
      HW_TRY_VOID(writer.PadTo(kWeightAlignment));
      HW_TRY_VOID(
          WriteWeight(shard.weights[i], stored.weights[i].layout, weights, &writer, progress));
    }
    const FileEntry entry{.path = "",
                          .bytes = writer.SizeBytes(),
                          .digest = writer.DigestHex(),
                          .blocks = writer.BlockDigestsHex()};
    HW_TRY_VOID(writer.Close());
    return entry;
  }

 private:
  static Result<void> WriteWeight(const graph::Weight& weight, Layout layout,
                                  const WeightSource& weights, FileWriter* writer,
                                  const ByteProgress& progress) {
    HW_TRY(const ConstTensorView view, weights(weight.name));
    const int64_t num_rows = weight.shape.Rows();
    if (view.type != weight.type || view.shape.Columns() != weight.shape.Columns() ||
        view.shape.Rows() < weight.row_begin + num_rows) {
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("cpu: weight '{}': expected {} with rows [{}, {}) of {}, found {} {}",
                              weight.name, Traits(weight.type).name, weight.row_begin,
                              weight.row_begin + num_rows, weight.shape.Columns(),
                              Traits(view.type).name, ToString(view.shape)));
    }
    if (layout == Layout::kTile16) return WriteTiles(weight, view, writer, progress);
    const auto row_bytes = static_cast<size_t>(RowBytes(weight.type, weight.shape.Columns()));
    for (int64_t row = 0; row < num_rows; ++row) {
      HW_TRY_VOID(
          writer->Write(std::span<const std::byte>(view.Row(weight.row_begin + row), row_bytes)));
      progress(row_bytes);
    }
    return {};
  }

  static Result<void> WriteTiles(const graph::Weight& weight, const ConstTensorView& view,
                                 FileWriter* writer, const ByteProgress& progress) {
    const int64_t columns = weight.shape.Columns();
    AlignedBuffer tile(static_cast<size_t>(kernels::TileBytes(weight.type, columns)));
    for (int64_t first = 0; first < weight.shape[0]; first += kernels::kTileRows) {
      std::array<const std::byte*, kernels::kTileRows> rows{};
      const int64_t count = std::min(kernels::kTileRows, weight.shape[0] - first);
      for (int64_t i = 0; i < count; ++i)
        rows[static_cast<size_t>(i)] = view.Row(weight.row_begin + first + i);
      kernels::PackTile(weight.type, std::span(rows).first(static_cast<size_t>(count)), columns,
                        tile.data());
      HW_TRY_VOID(writer->Write(std::span<const std::byte>(tile.data(), tile.SizeBytes())));
      progress(tile.SizeBytes());
    }
    return {};
  }
};

}  // namespace

Result<std::unique_ptr<Emitter>> MakeEmitter(const DeviceOptions& options) {
  const bool asked = !options.weights.empty() || !options.states.empty() ||
                     !options.attention.empty() || options.head_splits != 0 ||
                     options.norm_prescale;
  if (asked) {
    return Fail(
        ErrorCode::kInvalidInput,
        "--weights, --states, --attention, --head-split, --norm-prescale: expected --device "
        "coreml beside them, found cpu, which stores weights as the model file has them");
  }
  return std::make_unique<CpuEmitter>();
}

}  // namespace headway::cpu

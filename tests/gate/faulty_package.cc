#include "faulty_package.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "base/digest.h"
#include "device/cpu/shard_file.h"
#include "gguf/gguf_file.h"
#include "gguf/gguf_writer.h"
#include "kernels/tiles.h"
#include "pack/pack.h"
#include "pack/record_goldens.h"
#include "tensor/codec.h"
#include "wrapped_emitter.h"

namespace headway::gate_test {
namespace {

void EditTile(const std::string& path, const Fault& fault) {
  int64_t offset = 0;
  std::vector<std::byte> tile;
  {
    const auto file = cpu::ShardFile::Open(path);
    ASSERT_TRUE(file) << file.error().message;
    const auto& weights = file->graph.weights;
    size_t id = 0;
    while (id < weights.size() && weights[id].name != fault.weight) ++id;
    ASSERT_LT(id, weights.size()) << fault.weight;
    const DataType type = weights[id].type;
    const int64_t columns = weights[id].shape.Columns();
    tile.resize(static_cast<size_t>(kernels::TileBytes(type, columns)));
    const std::byte* stored = file->WeightData(static_cast<graph::WeightId>(id)) +
                              fault.tile * static_cast<int64_t>(tile.size());
    offset = stored - file->mapping.Bytes().data();
    std::vector<float> values(static_cast<size_t>(kernels::kTileRows * columns));
    for (int64_t r = 0; r < kernels::kTileRows; ++r)
      kernels::UnpackTileRow(type, stored, r, columns, values.data() + r * columns);
    fault.edit(&values, columns);
    const int64_t row_bytes = RowBytes(type, columns);
    std::vector<std::byte> rows(static_cast<size_t>(kernels::kTileRows * row_bytes));
    std::vector<const std::byte*> pointers;
    for (int64_t r = 0; r < kernels::kTileRows; ++r) {
      QuantiseRow(type, values.data() + r * columns, columns, rows.data() + r * row_bytes);
      pointers.push_back(rows.data() + r * row_bytes);
    }
    // Packing needs the alignment that the file gives.
    AlignedBuffer packed(tile.size());
    kernels::PackTile(type, pointers, columns, packed.data());
    std::memcpy(tile.data(), packed.data(), tile.size());
  }
  std::fstream out(path, std::ios::in | std::ios::out | std::ios::binary);
  out.seekp(offset);
  out.write(reinterpret_cast<const char*>(tile.data()), static_cast<std::streamsize>(tile.size()));
  ASSERT_TRUE(out.flush());
}

class FaultyEmitter final : public parity::WrappedEmitter {
 public:
  explicit FaultyEmitter(const Fault& fault)
      : WrappedEmitter(*MakeEmitterFor("cpu")), fault_(fault) {}
  Result<FileEntry> Emit(const ShardUse& use, const graph::Graph& shard,
                         const WeightSource& weights, const std::string& path,
                         const ByteProgress& progress) override {
    HW_TRY(FileEntry entry, WrappedEmitter::Emit(use, shard, weights, path, progress));
    if (!fault_.edit || !path.ends_with("/" + fault_.shard)) return entry;
    EditTile(path, fault_);
    HW_TRY(entry.digest, FileDigestHex(path, &entry.blocks));
    return entry;
  }

 private:
  const Fault& fault_;
};

}  // namespace

void PackWith(const Fault& fault, const std::string& gguf_path, const std::string& reference_path,
              const std::string& directory) {
  FaultyEmitter emitter(fault);
  pack::PackOptions options{.topology = "1", .heads = {"full:2"}};
  options.goldens = pack::GoldenOptions{.reference = reference_path, .max_tokens = 24};
  const auto packed = pack::Pack(gguf_path, directory, options, &emitter);
  ASSERT_TRUE(packed) << packed.error().message;
}

void CopyWithRotary(const std::string& from, const std::string& to, uint32_t channels) {
  const auto source = gguf::GgufFile::Open(from);
  ASSERT_TRUE(source) << source.error().message;
  gguf::GgufWriter writer;
  const auto kept = [](std::string_view tensor) { return tensor.rfind("rope_factors", 0) != 0; };
  for (const gguf::MetadataEntry& entry : source->Metadata()) {
    if (entry.key == "phi3.rope.dimension_count") {
      writer.AddU32(entry.key, channels);
    } else {
      writer.AddCopy(entry);
    }
  }
  for (const gguf::TensorInfo& tensor : source->Tensors())
    if (kept(tensor.name)) writer.AddTensor(tensor.name, *tensor.type, tensor.shape);
  ASSERT_TRUE(writer.Begin(to));
  for (const gguf::TensorInfo& tensor : source->Tensors()) {
    if (!kept(tensor.name)) continue;
    ASSERT_TRUE(writer.WriteTensorBytes(
        tensor.name, source->Mapping().Bytes().subspan(tensor.offset_bytes, tensor.size_bytes)));
  }
  ASSERT_TRUE(writer.Finish());
}

}  // namespace headway::gate_test

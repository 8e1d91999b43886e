#include "device/cpu/shard_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "graph/text.h"
#include "kernels/tiles.h"

namespace headway::cpu {
namespace {

constexpr int64_t kCopyBytes = int64_t{4} << 20;  // one read of one thread

}  // namespace

Result<StoredWeights> LayOut(const graph::Graph& graph) {
  std::vector<bool> in_linear(graph.weights.size(), false);
  std::vector<bool> elsewhere(graph.weights.size(), false);
  for (const graph::Node& node : graph.nodes) {
    for (const graph::WeightId id : node.weights) {
      (node.op == graph::Op::kLinear ? in_linear : elsewhere)[static_cast<size_t>(id)] = true;
    }
  }
  StoredWeights stored;
  for (size_t i = 0; i < graph.weights.size(); ++i) {
    const graph::Weight& weight = graph.weights[i];
    if (in_linear[i] && elsewhere[i]) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("cpu: weight '{}': expected one use, found a linear and another op",
                              weight.name));
    }
    const int64_t columns = weight.shape.Columns();
    StoredWeight entry{.layout = in_linear[i] ? Layout::kTile16 : Layout::kRows,
                       .offset_bytes = (stored.total_bytes + kWeightAlignment - 1) /
                                       kWeightAlignment * kWeightAlignment,
                       .size_bytes = 0};
    entry.size_bytes = static_cast<uint64_t>(
        in_linear[i] ? kernels::NumTiles(weight.shape[0]) * kernels::TileBytes(weight.type, columns)
                     : weight.shape.Rows() * RowBytes(weight.type, columns));
    stored.total_bytes = entry.offset_bytes + entry.size_bytes;
    stored.weights.push_back(entry);
  }
  return stored;
}

Result<ShardFile> ShardFile::Open(const std::string& path) {
  ShardFile file;
  HW_TRY(file.mapping, MappedFile::Open(path));
  const auto bytes = file.mapping.Bytes();
  const auto corrupt = [&](const std::string& message) {
    return Fail(ErrorCode::kCorrupt, fmt::format("{}: {}", path, message));
  };
  ShardHeader header{};
  if (bytes.size() < sizeof header) {
    return corrupt(
        fmt::format("expected a shard header of {} bytes, found {}", sizeof header, bytes.size()));
  }
  std::memcpy(&header, bytes.data(), sizeof header);
  if (std::memcmp(header.magic, kShardMagic, sizeof header.magic) != 0) {
    return corrupt(
        "expected the magic HWSHARD3, found something else: not a shard of the cpu device");
  }
  if (header.text_bytes > bytes.size() - sizeof header ||
      header.data_offset % kDataAlignment != 0 ||
      header.data_offset < sizeof header + header.text_bytes || header.data_offset > bytes.size() ||
      header.data_bytes != bytes.size() - header.data_offset) {
    return corrupt(fmt::format("header does not fit the file: text {}, data {} + {}, file {} bytes",
                               header.text_bytes, header.data_offset, header.data_bytes,
                               bytes.size()));
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + sizeof header,
                              header.text_bytes);
  auto graph = graph::Parse(text);
  if (!graph) return Prefixed(graph.error(), path);
  file.graph = *std::move(graph);
  HW_TRY(file.stored, LayOut(file.graph));
  if (file.stored.total_bytes != header.data_bytes) {
    return corrupt(fmt::format("expected {} bytes of weights, found {}", file.stored.total_bytes,
                               header.data_bytes));
  }
  file.data = bytes.data() + header.data_offset;
  return file;
}

Result<void> ShardFile::CopyToHugePages(ThreadPool* pool) {
  const auto size = static_cast<int64_t>(stored.total_bytes);
  const auto offset = static_cast<int64_t>(data - mapping.Bytes().data());
  const int fd = ::open(mapping.Path().c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return Fail(ErrorCode::kIo,
                fmt::format("{}: cannot open: {}", mapping.Path(), std::strerror(errno)));
  AlignedBuffer buffer(static_cast<size_t>(size));
  ChunkQueue queue;
  std::atomic<bool> failed{false};
  pool->Run([&](int) {
    int64_t begin = 0;
    int64_t end = 0;
    while (queue.Take(size, kCopyBytes, &begin, &end)) {
      while (begin < end) {  // pread may return less than asked for
        const ssize_t got =
            ::pread(fd, buffer.data() + begin, static_cast<size_t>(end - begin), offset + begin);
        if (got <= 0) {
          failed.store(true);
          return;
        }
        begin += got;
      }
    }
  });
  ::close(fd);
  if (failed.load())
    return Fail(ErrorCode::kIo, fmt::format("{}: cannot read the weights", mapping.Path()));
  copy = std::move(buffer);
  data = copy.data();
  mapping = MappedFile();
  return {};
}

}  // namespace headway::cpu

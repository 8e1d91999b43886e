#include "device/cpu/shard_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/checked_size.h"
#include "graph/text.h"
#include "kernels/tiles.h"

namespace headway::cpu {
namespace {

constexpr int64_t kCopyBytes = int64_t{4} << 20;  // one read of one thread

}  // namespace

ShardHeader MakeShardHeader(uint64_t text_bytes, uint64_t data_bytes) {
  ShardHeader header{};
  std::memcpy(header.magic, kShardMagic, sizeof header.magic);
  header.text_bytes = text_bytes;
  header.data_offset =
      (sizeof header + text_bytes + kDataAlignment - 1) / kDataAlignment * kDataAlignment;
  header.data_bytes = data_bytes;
  return header;
}

Result<StoredWeights> LayOut(const graph::Graph& graph) {
  std::vector<bool> in_linear(graph.weights.size(), false);
  std::vector<bool> elsewhere(graph.weights.size(), false);
  for (const graph::Node& node : graph.nodes) {
    for (const graph::WeightId id : node.weights) {
      (node.op == graph::Op::kLinear ? in_linear : elsewhere)[static_cast<size_t>(id)] = true;
    }
  }
  StoredWeights stored;
  CheckedSize total(uint64_t{0});
  for (size_t i = 0; i < graph.weights.size(); ++i) {
    const graph::Weight& weight = graph.weights[i];
    if (in_linear[i] && elsewhere[i]) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("cpu: weight '{}': expected one use, found a linear and another op",
                              weight.name));
    }
    const int64_t columns = weight.shape.Columns();
    const CheckedSize begin = total.AlignedTo(kWeightAlignment);
    // Rows and columns of the graph's text are at most 2^31: a tile's bytes fit.
    const CheckedSize size = in_linear[i]
                                 ? CheckedSize(kernels::NumTiles(weight.shape[0])) *
                                       CheckedSize(kernels::TileBytes(weight.type, columns))
                                 : graph::BytesOf(weight);
    total = begin + size;
    if (!total.Value()) {
      return Fail(
          ErrorCode::kCorrupt,
          fmt::format("cpu: weight '{}': expected weights of less than 2^63 bytes, found more",
                      weight.name));
    }
    stored.weights.push_back({.layout = in_linear[i] ? Layout::kTile16 : Layout::kRows,
                              .offset_bytes = *begin.Value(),
                              .size_bytes = *size.Value()});
  }
  stored.total_bytes = *total.Value();
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
  auto stored = LayOut(file.graph);
  if (!stored) return Prefixed(stored.error(), path);
  file.stored = *std::move(stored);
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

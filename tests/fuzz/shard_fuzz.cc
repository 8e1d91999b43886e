// libFuzzer target: any text as the graph of a shard of the cpu device, whose header and size are
// right for it; from 0xff on any bytes as the whole file.

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "device/cpu/plan.h"
#include "device/cpu/shard_file.h"
#include "graph/text.h"

namespace {

using headway::cpu::ShardFile;
using headway::cpu::ShardHeader;

constexpr uint64_t kMostBytes = uint64_t{16} << 20;

// A file of `size_bytes`, zeros behind `begin`, as a path.
std::string InMemory(int fd, const std::string& begin, uint64_t size_bytes) {
  HW_CHECK(::ftruncate(fd, 0) == 0 && ::ftruncate(fd, static_cast<off_t>(size_bytes)) == 0 &&
               ::pwrite(fd, begin.data(), begin.size(), 0) == static_cast<ssize_t>(begin.size()),
           "a file in memory");
  return "/proc/self/fd/" + std::to_string(fd);
}

void Exercise(const ShardFile& file) {
  const auto bytes = file.mapping.Bytes();
  for (size_t i = 0; i < file.stored.weights.size(); ++i) {
    const headway::cpu::StoredWeight& weight = file.stored.weights[i];
    const std::byte* const begin = file.WeightData(static_cast<headway::graph::WeightId>(i));
    HW_CHECK(begin >= bytes.data() && weight.size_bytes <= bytes.size() &&
                 begin + weight.size_bytes <= bytes.data() + bytes.size(),
             "weights inside the file");
  }
  static_cast<void>(headway::cpu::MakePlan(file.graph, headway::cpu::kMaxStepTokens).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t num_bytes) {
  static const int fd = ::memfd_create("shard", MFD_CLOEXEC);
  const std::string text(reinterpret_cast<const char*>(input), num_bytes);
  if (num_bytes > 0 && input[0] == 0xff) {
    const auto file = ShardFile::Open(InMemory(fd, text.substr(1), num_bytes - 1));
    if (file) Exercise(*file);
    return 0;
  }
  const auto graph = headway::graph::Parse(text);
  if (!graph) return 0;
  const auto stored = headway::cpu::LayOut(*graph);
  if (!stored || stored->total_bytes > kMostBytes) return 0;
  const ShardHeader header = headway::cpu::MakeShardHeader(text.size(), stored->total_bytes);
  const std::string begin =
      std::string(reinterpret_cast<const char*>(&header), sizeof header) + text;
  const auto file = ShardFile::Open(InMemory(fd, begin, header.data_offset + header.data_bytes));
  HW_CHECK(file.has_value(), "a shard that was laid out opens");
  Exercise(*file);
  return 0;
}

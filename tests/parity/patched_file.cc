#include "patched_file.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <fstream>
#include <span>
#include <vector>

#include "gguf/gguf_file.h"
#include "tensor/blocks.h"

namespace headway::parity {
namespace {

void Overwrite(const std::string& path, int64_t offset_bytes, std::span<const std::byte> bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  ASSERT_TRUE(file) << path;
  file.seekp(offset_bytes);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(file.flush()) << path;
}

// Where the number of a block lies that turns all of its values into NaN.
int64_t ScaleOffset(DataType type) {
  if (type == DataType::kQ4_K) return offsetof(BlockQ4_K, d);
  if (type == DataType::kQ5_K) return offsetof(BlockQ5_K, d);
  if (type == DataType::kQ6_K) return offsetof(BlockQ6_K, d);
  if (type == DataType::kQ2_K) return offsetof(BlockQ2_K, d);
  if (type == DataType::kQ3_K) return offsetof(BlockQ3_K, d);
  return 0;  // the other types begin with it
}

}  // namespace

void PatchU32(const std::string& gguf_path, const std::string& key, uint32_t value) {
  std::ifstream in(gguf_path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const size_t found = bytes.find(key);
  ASSERT_NE(found, std::string::npos) << key;
  constexpr int64_t kTypeBytes = 4;  // between the key and its value
  Overwrite(gguf_path, static_cast<int64_t>(found + key.size()) + kTypeBytes,
            std::as_bytes(std::span(&value, 1)));
}

void PoisonRow(const std::string& gguf_path, const std::string& tensor, int64_t row) {
  int64_t offset = 0;
  DataType type = DataType::kF32;
  {
    const auto file = gguf::GgufFile::Open(gguf_path);
    ASSERT_TRUE(file) << file.error().message;
    const auto view = file->GetTensor(tensor);
    ASSERT_TRUE(view) << view.error().message;
    type = view->type;
    offset = view->Row(row) - file->Mapping().Bytes().data() + ScaleOffset(type);
  }
  if (type == DataType::kF32) {
    const uint32_t nan = 0x7fc00000;
    Overwrite(gguf_path, offset, std::as_bytes(std::span(&nan, 1)));
  } else {
    const uint16_t nan = type == DataType::kBF16 ? 0x7fc0 : 0x7e00;
    Overwrite(gguf_path, offset, std::as_bytes(std::span(&nan, 1)));
  }
}

void FlipBit(const std::string& path, int64_t offset_bytes) {
  std::ifstream in(path, std::ios::binary);
  in.seekg(offset_bytes);
  const int byte = in.get();
  ASSERT_NE(byte, std::char_traits<char>::eof()) << path;
  const std::byte flipped{static_cast<unsigned char>(byte ^ 1)};
  Overwrite(path, offset_bytes, std::span(&flipped, 1));
}

}  // namespace headway::parity

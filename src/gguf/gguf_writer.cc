#include "gguf/gguf_writer.h"

#include <fmt/format.h>
#include <unistd.h>

#include <bit>
#include <filesystem>

#include "base/check.h"
#include "gguf/cursor.h"
#include "gguf/ggml_type.h"

namespace headway::gguf {
namespace {

constexpr uint32_t kWrittenVersion = 3;

uint64_t PaddingAfter(uint64_t bytes, uint64_t alignment) {
  return (alignment - bytes % alignment) % alignment;
}

template <class T>
void Append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

void AppendString(std::string& out, std::string_view text) {
  Append<uint64_t>(out, text.size());
  out += text;
}

}  // namespace

GgufWriter::GgufWriter(uint32_t alignment_bytes) : alignment_bytes_(alignment_bytes) {
  HW_CHECK(std::has_single_bit(alignment_bytes) && alignment_bytes >= 8 &&
               alignment_bytes <= kMaxAlignmentBytes,
           "alignment is a power of two the reader accepts");
  if (alignment_bytes != kDefaultAlignmentBytes) AddU32("general.alignment", alignment_bytes);
}

GgufWriter::~GgufWriter() {
  std::error_code error;
  if (!partial_path_.empty()) std::filesystem::remove(partial_path_, error);
}

void GgufWriter::Complain(std::string message) {
  if (first_mistake_.empty()) first_mistake_ = std::move(message);
}

void GgufWriter::PutBytes(std::span<const std::byte> bytes) {
  metadata_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void GgufWriter::PutString(std::string_view text) { AppendString(metadata_, text); }

void GgufWriter::BeginEntry(std::string_view key, ValueType type) {
  HW_CHECK(partial_path_.empty(), "metadata comes before Begin()");
  if (key.empty()) Complain("empty key");
  if (!keys_.emplace(key).second) Complain(fmt::format("key {} added twice", Quoted(key)));
  PutString(key);
  Put(static_cast<uint32_t>(type));
  ++num_metadata_;
}

void GgufWriter::AddBool(std::string_view key, bool value) {
  BeginEntry(key, ValueType::kBool);
  Put(static_cast<uint8_t>(value ? 1 : 0));
}

void GgufWriter::AddString(std::string_view key, std::string_view value) {
  BeginEntry(key, ValueType::kString);
  PutString(value);
}

void GgufWriter::AddArrayBytes(std::string_view key, ValueType element_type, uint64_t count,
                               std::span<const std::byte> bytes) {
  BeginEntry(key, ValueType::kArray);
  Put(static_cast<uint32_t>(element_type));
  Put(count);
  PutBytes(bytes);
}

void GgufWriter::AddStringArray(std::string_view key, std::span<const std::string_view> values) {
  AddArrayBytes(key, ValueType::kString, values.size(), {});
  for (const std::string_view value : values) PutString(value);
}

void GgufWriter::AddStringArray(std::string_view key, std::span<const std::string> values) {
  AddArrayBytes(key, ValueType::kString, values.size(), {});
  for (const std::string& value : values) PutString(value);
}

void GgufWriter::AddCopy(const MetadataEntry& entry) {
  const Value& value = entry.value;
  if (value.type == ValueType::kArray) {
    AddArrayBytes(entry.key, value.element_type, value.count, value.bytes);
  } else if (value.type == ValueType::kString) {
    AddString(entry.key, value.Text());
  } else {
    BeginEntry(entry.key, value.type);
    PutBytes(value.bytes);
  }
}

void GgufWriter::AddTensor(std::string_view name, DataType type, const Shape& shape) {
  HW_CHECK(partial_path_.empty(), "tensors are declared before Begin()");
  if (name.empty() || name.size() > kMaxNameBytes) {
    Complain(
        fmt::format("tensor {}: expected a name of 1 to {} bytes", Quoted(name), kMaxNameBytes));
  }
  if (!names_.emplace(name).second) Complain(fmt::format("tensor {} declared twice", Quoted(name)));
  uint64_t size_bytes = 0;
  if (shape.Rank() == 0 || shape.Elements() == 0) {
    Complain(fmt::format("tensor {}: expected rank 1 to 4 without zero extents, found {}",
                         Quoted(name), ToString(shape)));
  } else if (shape.Columns() % Traits(type).block_elements != 0) {
    Complain(fmt::format("tensor {}: rows of {} elements are not a multiple of the {} block of {}",
                         Quoted(name), shape.Columns(), Traits(type).name,
                         Traits(type).block_elements));
  } else {
    size_bytes = static_cast<uint64_t>(shape.Rows() * RowBytes(type, shape.Columns()));
  }
  tensors_.push_back(
      {.name = std::string(name), .type = type, .shape = shape, .size_bytes = size_bytes});
}

Result<std::vector<std::byte>> GgufWriter::HeaderBytes() const {
  if (!first_mistake_.empty()) return Fail(ErrorCode::kInvalidInput, first_mistake_);
  std::string out = "GGUF";
  Append(out, kWrittenVersion);
  Append<uint64_t>(out, tensors_.size());
  Append(out, num_metadata_);
  out += metadata_;
  uint64_t offset = 0;
  for (const DeclaredTensor& tensor : tensors_) {
    AppendString(out, tensor.name);
    Append(out, static_cast<uint32_t>(tensor.shape.Rank()));
    for (int axis = tensor.shape.Rank(); axis > 0; --axis)
      Append(out, static_cast<uint64_t>(tensor.shape[axis - 1]));
    Append(out, GgmlType(tensor.type));
    Append(out, offset);
    offset += tensor.size_bytes + PaddingAfter(tensor.size_bytes, alignment_bytes_);
  }
  out.resize(out.size() + PaddingAfter(out.size(), alignment_bytes_));
  const auto bytes = std::as_bytes(std::span<const char>(out));
  return std::vector<std::byte>(bytes.begin(), bytes.end());
}

Result<void> GgufWriter::Begin(const std::string& path) {
  HW_CHECK(partial_path_.empty() && path_.empty(), "Begin() is called once");
  const auto header = HeaderBytes();
  if (!header) return Prefixed(header.error(), "gguf: " + path);
  path_ = path;
  const std::string partial_path = fmt::format("{}.partial-{}", path, ::getpid());
  HW_TRY(file_, FileWriter::Create(partial_path));
  partial_path_ = partial_path;
  return file_->Write(*header);
}

Result<void> GgufWriter::WriteTensorBytes(std::string_view name, std::span<const std::byte> bytes) {
  HW_CHECK(tensor_index_ < tensors_.size() && tensors_[tensor_index_].name == name,
           "tensors are written in the order of their declaration");
  const DeclaredTensor& tensor = tensors_[tensor_index_];
  HW_CHECK(bytes.size() <= tensor.size_bytes - tensor_filled_, "no more bytes than the tensor has");
  HW_TRY_VOID(file_->Write(bytes));
  tensor_filled_ += bytes.size();
  if (tensor_filled_ < tensor.size_bytes) return {};
  ++tensor_index_;
  tensor_filled_ = 0;
  return file_->PadTo(alignment_bytes_);
}

Result<void> GgufWriter::Finish() {
  HW_CHECK(!partial_path_.empty(), "Finish() comes after Begin()");
  HW_CHECK(tensor_index_ == tensors_.size(), "every declared tensor is written");
  HW_TRY_VOID(file_->Close());
  std::error_code error;
  std::filesystem::rename(partial_path_, path_, error);
  if (error) {
    return Fail(ErrorCode::kIo,
                fmt::format("{}: cannot rename into place: {}", path_, error.message()));
  }
  partial_path_.clear();
  return {};
}

uint64_t GgufWriter::TensorBytes() const {
  uint64_t total = 0;
  for (const DeclaredTensor& tensor : tensors_) total += tensor.size_bytes;
  return total;
}

}  // namespace headway::gguf

#include "gguf/gguf_file.h"

#include <fmt/format.h>

#include <utility>

namespace headway::gguf {
namespace {

std::string SupportedTypes() {
  std::string names;
  for (int i = 0; i < kNumDataTypes; ++i) {
    const auto type = static_cast<DataType>(i);
    if (!IsWeightType(type)) continue;
    names += fmt::format("{}{}", names.empty() ? "" : " ", Traits(type).name);
  }
  return names;
}

}  // namespace

Result<GgufFile> GgufFile::Open(const std::string& path) {
  HW_TRY(GgufFile file, OpenOne(path));
  return OpenParts(std::move(file));
}

Result<GgufFile> GgufFile::OpenOne(const std::string& path) {
  auto mapping = MappedFile::Open(path);
  if (!mapping) return Prefixed(mapping.error(), "gguf");
  HW_TRY(GgufFile file, Parse(mapping->Bytes(), path));
  file.parts_.front().mapping = *std::move(mapping);
  return file;
}

Result<GgufFile> GgufFile::Parse(std::span<const std::byte> bytes, std::string name) {
  auto directory = ParseDirectory(bytes);
  if (!directory) return Prefixed(directory.error(), "gguf: " + name);
  GgufFile file;
  file.parts_.push_back({.path = std::move(name), .mapping = {}, .bytes = bytes});
  file.directory_ = *std::move(directory);
  return file;
}

const Value* GgufFile::Find(std::string_view key) const {
  const auto found = directory_.metadata_index.find(key);
  return found == directory_.metadata_index.end() ? nullptr
                                                  : &directory_.metadata[found->second].value;
}

const TensorInfo* GgufFile::FindTensor(std::string_view name) const {
  const auto found = directory_.tensor_index.find(name);
  return found == directory_.tensor_index.end() ? nullptr : &directory_.tensors[found->second];
}

Result<ConstTensorView> GgufFile::GetTensor(std::string_view name) const {
  const TensorInfo* tensor = FindTensor(name);
  if (tensor == nullptr) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("gguf: {}: tensor {}: missing ({} tensors in the file)", Path(),
                            Quoted(name), Tensors().size()));
  }
  if (!tensor->type) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("gguf: {}: tensor {}: type {} unsupported (supported: {})",
                    PartPath(tensor->part), Quoted(name), tensor->TypeName(), SupportedTypes()));
  }
  return ConstTensorView{.type = *tensor->type,
                         .shape = tensor->shape,
                         .row_stride_bytes = RowBytes(*tensor->type, tensor->shape.Columns()),
                         .data = parts_[tensor->part].bytes.data() + tensor->offset_bytes,
                         .name = tensor->name};
}

void GgufFile::AdviseDone() const {
  for (const Part& part : parts_) part.mapping.AdviseDone(0, part.bytes.size());
}

}  // namespace headway::gguf

#include "manifest/goldens.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "base/digest.h"
#include "base/file_writer.h"
#include "base/mapped_file.h"

namespace headway {
namespace {

constexpr std::string_view kMagic = "HWGOLD02";
constexpr std::string_view kMagicBefore = "HWGOLD01";  // products without norms
// Far above any model, far below what makes a product of three overflow.
constexpr uint64_t kMostTokens = 1 << 12;
constexpr uint64_t kMostLayers = 1 << 12;
constexpr uint64_t kMostChannels = 1 << 24;
constexpr uint64_t kMostProducts = 1 << 16;
constexpr uint64_t kMostNameBytes = 1 << 10;

class Writer {
 public:
  explicit Writer(FileWriter* file) : file_(file) {}
  template <class T>
  Result<void> Values(const std::vector<T>& values) {
    return file_->Write(std::as_bytes(std::span(values)));
  }
  Result<void> Number(int64_t value) { return file_->Write(std::as_bytes(std::span(&value, 1))); }
  Result<void> Name(const std::string& name) {
    HW_TRY_VOID(Number(static_cast<int64_t>(name.size())));
    return file_->Write(std::string_view(name));
  }

 private:
  FileWriter* file_;
};

// Reads in order; every length is checked before anything is allocated for it.
class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const std::string& where)
      : bytes_(bytes), where_(where) {}

  template <class T>
  Result<void> Values(uint64_t count, std::vector<T>* out) {
    if (count > bytes_.size() / sizeof(T)) {
      return Corrupt(fmt::format("expected {} values of {} bytes, found {} bytes before the end",
                                 count, sizeof(T), bytes_.size()));
    }
    out->resize(count);
    if (count > 0) std::memcpy(out->data(), bytes_.data(), count * sizeof(T));
    bytes_ = bytes_.subspan(count * sizeof(T));
    return {};
  }
  // A whole number from 0 to `most`.
  Result<int64_t> Number(const char* what, uint64_t most) {
    std::vector<uint64_t> value;
    HW_TRY_VOID(Values(1, &value));
    if (value[0] > most)
      return Corrupt(fmt::format("{}: expected at most {}, found {}", what, most, value[0]));
    return static_cast<int64_t>(value[0]);
  }
  Result<std::string> Name() {
    HW_TRY(const int64_t size, Number("length of a name", kMostNameBytes));
    std::vector<char> text;
    HW_TRY_VOID(Values(static_cast<uint64_t>(size), &text));
    return std::string(text.begin(), text.end());
  }
  Result<void> End() const {
    if (bytes_.empty()) return {};
    return Corrupt(fmt::format("expected the end of the file, found {} more bytes", bytes_.size()));
  }
  tl::unexpected<Error> Corrupt(const std::string& what) const {
    return Fail(ErrorCode::kCorrupt, fmt::format("{}: {}", where_, what));
  }

 private:
  std::span<const std::byte> bytes_;
  const std::string& where_;
};

Result<ProductGolden> ReadProduct(Reader* reader, bool with_norms) {
  ProductGolden product;
  HW_TRY(product.weight, reader->Name());
  HW_TRY(product.rows, reader->Number("rows", kMostChannels));
  HW_TRY(product.columns, reader->Number("columns", kMostChannels));
  HW_TRY_VOID(reader->Values(static_cast<uint64_t>(kProbes * product.rows), &product.y));
  if (!with_norms) return product;
  HW_TRY(const int64_t num_norms, reader->Number("norms", kMostChannels));
  if (num_norms != 0 && num_norms != product.rows) {
    return reader->Corrupt(fmt::format("{}: expected 0 or {} norms, found {}", product.weight,
                                       product.rows, num_norms));
  }
  HW_TRY_VOID(reader->Values(static_cast<uint64_t>(num_norms), &product.norms));
  return product;
}

uint64_t SplitMix(uint64_t* state) {  // Steele, Lea, Flood 2014
  uint64_t z = *state += 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

}  // namespace

const ProductGolden* Goldens::Find(std::string_view weight) const {
  const auto found =
      std::find_if(products.begin(), products.end(),
                   [&](const ProductGolden& product) { return product.weight == weight; });
  return found == products.end() ? nullptr : &*found;
}

std::vector<float> ProbeInputs(const std::string& weight, int64_t columns) {
  uint64_t state = Hash64(std::as_bytes(std::span<const char>(weight.data(), weight.size())));
  std::vector<float> x(static_cast<size_t>(kProbes * columns));
  for (float& value : x) {  // 24 bits: exact in binary32
    value =
        static_cast<float>(static_cast<int64_t>(SplitMix(&state) >> 40U) - (1 << 23)) * 0x1p-23F;
  }
  return x;
}

Result<FileEntry> WriteGoldens(const Goldens& goldens, const std::string& directory) {
  const std::string path = (std::filesystem::path(directory) / kGoldensFileName).string();
  HW_TRY(FileWriter file, FileWriter::Create(path));
  Writer writer(&file);
  HW_TRY_VOID(file.Write(kMagic));
  HW_TRY_VOID(writer.Name(goldens.device));
  HW_TRY_VOID(writer.Number(goldens.num_layers));
  HW_TRY_VOID(writer.Number(goldens.hidden_size));
  HW_TRY_VOID(writer.Number(goldens.vocab_size));
  HW_TRY_VOID(writer.Number(goldens.NumTokens()));
  HW_TRY_VOID(writer.Number(static_cast<int64_t>(goldens.products.size())));
  HW_TRY_VOID(writer.Values(goldens.ids));
  for (const auto* values : {&goldens.hidden, &goldens.logits, &goldens.final_gain,
                             &goldens.reference_hidden, &goldens.reference_logits}) {
    HW_TRY_VOID(writer.Values(*values));
  }
  for (const ProductGolden& product : goldens.products) {
    HW_TRY_VOID(writer.Name(product.weight));
    HW_TRY_VOID(writer.Number(product.rows));
    HW_TRY_VOID(writer.Number(product.columns));
    HW_TRY_VOID(writer.Values(product.y));
    HW_TRY_VOID(writer.Number(static_cast<int64_t>(product.norms.size())));
    HW_TRY_VOID(writer.Values(product.norms));
  }
  FileEntry entry{.path = kGoldensFileName,
                  .bytes = file.SizeBytes(),
                  .digest = file.DigestHex(),
                  .blocks = file.BlockDigestsHex()};
  HW_TRY_VOID(file.Close());
  return entry;
}

Result<Goldens> ReadGoldens(const std::string& path) {
  HW_TRY(const MappedFile file, MappedFile::Open(path));
  return ParseGoldens(file.Bytes(), path);
}

Result<Goldens> ParseGoldens(std::span<const std::byte> bytes, const std::string& where) {
  Reader reader(bytes, where);
  std::vector<char> magic;
  HW_TRY_VOID(reader.Values(kMagic.size(), &magic));
  const std::string_view found(magic.data(), magic.size());
  if (found != kMagic && found != kMagicBefore)
    return reader.Corrupt("expected the magic HWGOLD02 or HWGOLD01, found something else");
  Goldens goldens;
  HW_TRY(goldens.device, reader.Name());
  HW_TRY(goldens.num_layers, reader.Number("layers", kMostLayers));
  HW_TRY(goldens.hidden_size, reader.Number("hidden size", kMostChannels));
  HW_TRY(goldens.vocab_size, reader.Number("vocabulary", kMostChannels));
  HW_TRY(const int64_t num_tokens, reader.Number("positions", kMostTokens));
  HW_TRY(const int64_t num_products, reader.Number("products", kMostProducts));
  const auto T = static_cast<uint64_t>(num_tokens);
  const auto D = static_cast<uint64_t>(goldens.hidden_size);
  const auto V = static_cast<uint64_t>(goldens.vocab_size);
  HW_TRY_VOID(reader.Values(T, &goldens.ids));
  HW_TRY_VOID(
      reader.Values((static_cast<uint64_t>(goldens.num_layers) + 1) * T * D, &goldens.hidden));
  HW_TRY_VOID(reader.Values(T * V, &goldens.logits));
  HW_TRY_VOID(reader.Values(D, &goldens.final_gain));
  HW_TRY_VOID(reader.Values(T * D, &goldens.reference_hidden));
  HW_TRY_VOID(reader.Values(T * V, &goldens.reference_logits));
  for (int64_t i = 0; i < num_products; ++i) {
    HW_TRY(ProductGolden product, ReadProduct(&reader, found == kMagic));
    goldens.products.push_back(std::move(product));
  }
  for (const int32_t id : goldens.ids) {
    if (id < 0 || id >= goldens.vocab_size)
      return reader.Corrupt(
          fmt::format("expected token ids from 0 to {}, found {}", goldens.vocab_size - 1, id));
  }
  HW_TRY_VOID(reader.End());
  return goldens;
}

}  // namespace headway

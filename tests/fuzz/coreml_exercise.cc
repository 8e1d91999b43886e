#include "coreml_exercise.h"

#include <string_view>

#include "base/check.h"
#include "device/coreml/ir/printer.h"
#include "device/coreml/ir/verify.h"
#include "device/coreml/package/item_manifest.h"
#include "device/coreml/package/proto/model_proto.h"
#include "device/coreml/package/weight_file.h"
#include "device/coreml/place/predict.h"

namespace headway {

void ExerciseCoremlModel(std::span<const std::byte> bytes) {
  const auto model = mil::DecodeModel(bytes);
  if (!model) return;
  HW_CHECK(!mil::PrintModel(*model).empty(), "a model has text");
  if (!mil::VerifyModel(*model, nullptr)) return;
  for (const auto& [name, function] : model->program.functions) {
    HW_CHECK(mil::PredictPlacement(function, {}).has_value(), "what verifies can be placed");
  }
  const auto encoded = mil::EncodeModel(*model);
  HW_CHECK(encoded.has_value(), "what verifies can be written");
  const auto again = mil::DecodeModel(std::as_bytes(std::span<const char>(*encoded)));
  HW_CHECK(again.has_value() && *mil::EncodeModel(*again) == *encoded,
           "writing and reading give the same model");
}

void ExerciseCoremlWeights(std::span<const std::byte> bytes) {
  const auto file = mil::WeightFile::FromBytes(bytes, "weight.bin");
  if (!file) return;
  unsigned sum = 0;
  for (const auto& [offset, blob] : file->Blobs()) {
    const auto read = file->Read({"weight.bin", offset}, blob.dtype, blob.num_elements);
    HW_CHECK(read.has_value(), "an indexed blob can be read");
    if (!read->empty())
      sum += static_cast<unsigned>(read->front()) + static_cast<unsigned>(read->back());
  }
  HW_CHECK(sum <= 510U * file->Blobs().size(), "bytes were read");
}

void ExerciseCoremlManifest(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto manifest = mil::ParseItemManifest(text);
  if (!manifest) return;
  HW_CHECK(mil::ParseItemManifest(mil::FormatItemManifest(*manifest)).has_value(),
           "what parses can be written");
}

}  // namespace headway

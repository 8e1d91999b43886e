#pragma once

// The numbers that stand for element types in the three places of a package: MIL types in
// model.mlmodel, feature types in its description, and blobs in weight.bin. Sources: MIL.proto
// (DataType), FeatureTypes.proto (ArrayDataType), MILBlob storage format (BlobDataType).

#include <cstdint>
#include <optional>

#include "device/coreml/ir/dtype.h"

namespace headway::mil {

int32_t MilNumber(DType dtype);
std::optional<DType> DTypeFromMilNumber(int32_t number);

// nullopt for types that cannot be features.
std::optional<int32_t> FeatureNumber(DType dtype);
std::optional<DType> DTypeFromFeatureNumber(int32_t number);

// nullopt for types that cannot be blobs (bool, string, 64-bit types).
std::optional<uint32_t> BlobNumber(DType dtype);
std::optional<DType> DTypeFromBlobNumber(uint32_t number);

}  // namespace headway::mil

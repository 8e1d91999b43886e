#pragma once

// Bytes from outside through every reader of a Core ML package: what fuzzing and mutation tests
// call. Nothing may crash, hang or allocate beyond the size of the input; errors are the expected
// result.

#include <cstddef>
#include <span>

namespace headway {

void ExerciseCoremlModel(
    std::span<const std::byte> bytes);  // model.mlmodel: decode, verify, print, place, encode
void ExerciseCoremlWeights(std::span<const std::byte> bytes);   // weight.bin: open, read every blob
void ExerciseCoremlManifest(std::span<const std::byte> bytes);  // Manifest.json: parse, format

}  // namespace headway

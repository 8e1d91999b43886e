#pragma once

// What a conversation keeps between steps in the layers of a shard: states of the program, or caches
// that the program takes as inputs and that are kept here. Inside this folder only.

#include <map>
#include <memory>
#include <string>

#include "device/coreml/program.h"
#include "device/loaded_layer_shard.h"

namespace headway::coreml {

// Keys and values that are inputs of a program, [1, Hk, d, S] of fp16, by name: "k_cache_3", whose
// new columns are the output "k_new_3". None where the program has states.
using Caches = std::map<std::string, mil::TensorType>;
Caches CachesOf(const LoadedProgram& program);
// The outputs of a step of `tokens`.
std::map<std::string, mil::Dims> NewColumnsOf(const Caches& caches, int64_t tokens);

// Used by one step at a time. What fails when it is made, or shared, is the error of every step.
class LayersState final : public ShardState {
 public:
  LayersState(Runner* runner, const Caches& caches);

  int64_t KvBytes() const override;
  void ShareFrom(const ShardState& other, int64_t num_positions) override;

  // A step of `width` with these inputs and wanted outputs, and with what is kept here. Valid until
  // the next call. Errors: kIo.
  Result<Prediction> Ask(const Width& width, const Arrays& inputs, const Arrays& outputs);
  // Keeps what the step has given of `count` tokens from `position` on, unless the device does.
  void StoreColumns(const Arrays& given, int64_t position, int64_t count);

 private:
  Result<void> Make(Runner* runner, const Caches& caches);

  std::unique_ptr<ProgramStates> states_;  // of every width: they have the same; null with caches
  std::map<std::string, std::shared_ptr<HostArray>> caches_;
  std::map<int64_t, Arrays> columns_;  // by width, made at first use
  Arrays inputs_;                      // of the last prediction, where there are caches
  Arrays outputs_;
  Result<void> outcome_;  // the last: making it fills the others
};

}  // namespace headway::coreml

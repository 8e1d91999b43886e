#pragma once

// States of a conversation in Core ML's memory. Inside this folder only.

#import <CoreML/CoreML.h>

#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "device/coreml/apple/owned.h"
#include "device/coreml/runner.h"

namespace headway::coreml {

class CoreMlStates final : public ProgramStates {
 public:
  using Types = std::map<std::string, mil::TensorType>;

  // Errors: kIo.
  static Result<std::unique_ptr<ProgramStates>> Create(MLModel* model, Types types);

  int64_t Bytes() const override;
  Result<void> CopyFrom(const ProgramStates& other) override;
  MLState* Object() const { return state_.Get(); }

 private:
  CoreMlStates(Owned<MLState*> state, Types types)
      : state_(std::move(state)), types_(std::move(types)) {}

  const Owned<MLState*> state_;
  const Types types_;
};

}  // namespace headway::coreml

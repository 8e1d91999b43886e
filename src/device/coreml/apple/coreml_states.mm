#include "device/coreml/apple/coreml_states.h"

#include "device/coreml/apple/foundation.h"
#include "device/coreml/apple/multi_array.h"

namespace headway::coreml {

Result<std::unique_ptr<ProgramStates>> CoreMlStates::Create(MLModel* model, Types types) {
  @autoreleasepool {
    Owned<MLState*> state;
    HW_TRY_VOID(Guarded("could not make states", [&]() -> Result<void> {
      state = Owned<MLState*>::Adopt([model newState]);
      if (!state) return Fail(ErrorCode::kIo, "Core ML: expected states of the model, found none");
      return {};
    }));
    return std::unique_ptr<ProgramStates>(new CoreMlStates(std::move(state), std::move(types)));
  }
}

int64_t CoreMlStates::Bytes() const {
  int64_t bytes = 0;
  for (const auto& [name, type] : types_)
    bytes += mil::PackedBytes(type.dtype, mil::NumElements(type.dims).value_or(0));
  return bytes;
}

Result<void> CoreMlStates::CopyFrom(const ProgramStates& other) {
  @autoreleasepool {
    return Guarded("could not copy states", [&]() -> Result<void> {
      MLState* const source = static_cast<const CoreMlStates&>(other).Object();
      MLState* const target = Object();
      for (const auto& [name, type] : types_) {
        NSString* const state_name = ToNs(name);
        Result<void> copied = Fail(ErrorCode::kIo, "Core ML: it gave no numbers of state " + name);
        Result<void>* const outcome = &copied;
        [source getMultiArrayForStateNamed:state_name
                                   handler:^(MLMultiArray* from) {
                                     [target getMultiArrayForStateNamed:state_name
                                                                handler:^(MLMultiArray* to) {
                                                                  *outcome = CopyHalves(from, to);
                                                                }];
                                   }];
        if (!copied) return copied;
      }
      return {};
    });
  }
}

}  // namespace headway::coreml

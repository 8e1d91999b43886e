#include "device/coreml/apple/coreml_runner.h"

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>

#include "device/coreml/apple/compiled_model.h"
#include "device/coreml/apple/compute_plan.h"
#include "device/coreml/apple/coreml_states.h"
#include "device/coreml/apple/foundation.h"
#include "device/coreml/apple/model_interface.h"
#include "device/coreml/apple/multi_array.h"
#include "device/coreml/apple/owned.h"
#include "device/coreml/ir/verify.h"
#include "device/coreml/program.h"
#include "device/coreml/shard_prediction.h"

namespace headway::coreml {
namespace {

using Types = std::map<std::string, mil::TensorType>;

constexpr const char* kPredicting = "could not predict";

class CoreMlRunner final : public Runner {
 public:
  CoreMlRunner(const LoadedProgram& program, std::string compiled,
               Owned<MLModelConfiguration*> configuration, Owned<MLModel*> model)
      : program_(program),
        compiled_(std::move(compiled)),
        configuration_(std::move(configuration)),
        model_(std::move(model)) {}

  Result<std::shared_ptr<HostArray>> NewArray(const mil::TensorType& type) override {
    return NewBackedArray(type);
  }
  Result<std::unique_ptr<ProgramStates>> NewStates() override {
    return CoreMlStates::Create(model_.Get(), mil::StatesOf(*program_.main));
  }

  // Core ML plans by itself, at the first prediction of a shape.
  Result<Types> Prepare(const std::map<std::string, mil::Dims>& inputs) override {
    std::map<std::string, mil::Type> types;
    for (const mil::NamedType& input : program_.main->inputs) {
      const auto found = inputs.find(input.name);
      if (input.type.is_state || found == inputs.end()) continue;
      types[input.name] = {{input.type.tensor.dtype, found->second}, false};
      if (!mil::Compatible(types[input.name], input.type)) {
        return Fail(ErrorCode::kCorrupt,
                    fmt::format("input '{}': expected {}, found {}", input.name,
                                mil::ToString(input.type), mil::ToString(types[input.name])));
      }
    }
    HW_TRY(const mil::FunctionScope scope,
           mil::VerifyFunction(*program_.main, &program_.package->weights, types));
    Types outputs;
    for (const std::string& name : program_.main->Body()->outputs)
      outputs[name] = scope.TypeOf(name)->tensor;
    return outputs;
  }

  Result<Arrays> Run(const Prediction& prediction) noexcept override {
    @autoreleasepool {
      Arrays outputs;
      HW_TRY_VOID(Guarded(kPredicting, [&]() -> Result<void> {
        HW_TRY(const Asked asked, Ask(prediction));
        NSError* error = nil;
        const auto* const states = static_cast<const CoreMlStates*>(prediction.states_or_null);
        id<MLFeatureProvider> const given =
            states == nullptr ? [model_.Get() predictionFromFeatures:asked.features.Get()
                                                             options:asked.options.Get()
                                                               error:&error]
                              : [model_.Get() predictionFromFeatures:asked.features.Get()
                                                          usingState:states->Object()
                                                             options:asked.options.Get()
                                                               error:&error];
        if (given == nil) return CoreMlFailed(kPredicting, error);
        HW_TRY(outputs, Take(given, *prediction.outputs));
        return {};
      }));
      return outputs;
    }
  }

  // Programs with states run in order.
  void Start(const Prediction& prediction, const Done& done) noexcept override {
    if (prediction.states_or_null != nullptr) return Runner::Start(prediction, done);
    @autoreleasepool {
      const Arrays* const wanted = prediction.outputs;
      const Done told = done;
      // Not inside the lambda: a block there would keep references to what is on this stack.
      void (^const finished)(id<MLFeatureProvider>, NSError*) =
          ^(id<MLFeatureProvider> given, NSError* error) {
            @autoreleasepool {
              told(given == nil ? Result<Arrays>(CoreMlFailed(kPredicting, error))
                                : Take(given, *wanted));
            }
          };
      const Result<void> begun = Guarded(kPredicting, [&]() -> Result<void> {
        HW_TRY(const Asked asked, Ask(prediction));
        [model_.Get() predictionFromFeatures:asked.features.Get()
                                     options:asked.options.Get()
                           completionHandler:finished];
        return {};
      });
      if (!begun) done(tl::unexpected<Error>(begun.error()));
    }
  }

  Residency Placement() override {
    @autoreleasepool {
      auto predicted = mil::PredictPlacement(
          *program_.main,
          {.weight_bytes = static_cast<int64_t>(program_.package->weights.SizeBytes())});
      if (!predicted) return ToResidency(predicted);
      const auto ops = ReadComputePlan(compiled_, program_.function, configuration_.Get());
      if (ops) return MeasuredResidency(*program_.main, *predicted, *ops);
      Residency residency = ToResidency(tl::unexpected<Error>(ops.error()));
      residency.basis = "measured";
      return residency;
    }
  }

 private:
  // A prediction in Core ML's words.
  struct Asked {
    Owned<MLDictionaryFeatureProvider*> features;
    Owned<MLPredictionOptions*> options;
  };

  static Result<Asked> Ask(const Prediction& prediction) {
    NSMutableDictionary* const inputs = [NSMutableDictionary dictionary];
    for (const auto& [name, array] : *prediction.inputs) {
      [inputs setObject:[MLFeatureValue featureValueWithMultiArray:ObjectOf(*array)]
                 forKey:ToNs(name)];
    }
    NSError* error = nil;
    MLDictionaryFeatureProvider* const features =
        [[MLDictionaryFeatureProvider alloc] initWithDictionary:inputs error:&error];
    if (features == nil) return CoreMlFailed("could not take inputs", error);
    Asked asked{.features = Owned<MLDictionaryFeatureProvider*>::Adopt(features),
                .options = Owned<MLPredictionOptions*>::Adopt([[MLPredictionOptions alloc] init])};
    NSMutableDictionary* const backings = [NSMutableDictionary dictionary];
    for (const auto& [name, array] : *prediction.outputs)
      [backings setObject:ObjectOf(*array) forKey:ToNs(name)];
    [asked.options.Get() setOutputBackings:backings];
    return asked;
  }

  // What was given: an array that was asked for, where Core ML has used it.
  static Result<Arrays> Take(id<MLFeatureProvider> given, const Arrays& wanted) {
    Arrays outputs;
    HW_TRY_VOID(Guarded(kPredicting, [&]() -> Result<void> {
      for (const auto& [name, asked] : wanted) {
        MLMultiArray* const array = [[given featureValueForName:ToNs(name)] multiArrayValue];
        if (array == nil) {
          return Fail(ErrorCode::kIo,
                      fmt::format("Core ML: expected the output '{}', found none", name));
        }
        if (ObjectOf(*asked) == array) {
          outputs[name] = asked;
        } else {
          HW_TRY(outputs[name], WrapGiven(array, asked->Type(), name));
        }
      }
      return {};
    }));
    return outputs;
  }

  const LoadedProgram& program_;
  const std::string compiled_;
  const Owned<MLModelConfiguration*> configuration_;
  const Owned<MLModel*> model_;
};

Result<Owned<MLModel*>> Load(const std::string& compiled, MLModelConfiguration* configuration) {
  Owned<MLModel*> model;
  HW_TRY_VOID(Guarded("could not load", [&]() -> Result<void> {
    NSError* error = nil;
    model = Owned<MLModel*>::Retain([MLModel modelWithContentsOfURL:FileUrl(compiled)
                                                      configuration:configuration
                                                              error:&error]);
    if (!model) return CoreMlFailed("could not load", error);
    return {};
  }));
  return model;
}

}  // namespace

Result<std::unique_ptr<Runner>> OpenCoreMlRunner(const LoadedProgram& program,
                                                 MLComputeUnits units) {
  @autoreleasepool {
    HW_TRY(std::string compiled, CompiledModel(program.path));
    auto configuration = Owned<MLModelConfiguration*>::Adopt([[MLModelConfiguration alloc] init]);
    [configuration.Get() setComputeUnits:units];
    // Where there are several, it is asked for by name; a program of "main" alone by none.
    if (program.package->model.program.functions.size() > 1)
      [configuration.Get() setFunctionName:ToNs(program.function)];
    HW_TRY(Owned<MLModel*> model, Load(compiled, configuration.Get()));
    HW_TRY_VOID(CheckInterface([model.Get() modelDescription], *program.main));
    return std::make_unique<CoreMlRunner>(program, std::move(compiled), std::move(configuration),
                                          std::move(model));
  }
}

}  // namespace headway::coreml

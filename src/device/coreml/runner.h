#pragma once

// What runs the program of a package: Core ML where there is one (apple/), else the interpreter.
// Layers and heads (loaded_layers.cc, loaded_head.cc) are the same over both. Inside this folder
// only.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "device/coreml/array.h"
#include "device/residency.h"

namespace headway::coreml {

struct LoadedProgram;

// The states of one conversation; for programs of one package, or of several with the same states.
class ProgramStates {
 public:
  virtual ~ProgramStates() = default;
  virtual int64_t Bytes() const = 0;
  // Becomes what `other`, states of the same kind, is. Errors: kIo.
  virtual Result<void> CopyFrom(const ProgramStates& other) = 0;
};

// One prediction. Everything must stay as it is until it is done.
struct Prediction {
  const Arrays* inputs = nullptr;
  ProgramStates* states_or_null = nullptr;
  const Arrays* outputs = nullptr;  // wanted, and where they should go; a runner may give others
};

class Runner {
 public:
  using Done = std::function<void(Result<Arrays>)>;

  virtual ~Runner() = default;

  // An input, or an output that a prediction is asked to write. Errors: kIo.
  virtual Result<std::shared_ptr<HostArray>> NewArray(const mil::TensorType& type) = 0;
  // Of the program's states, zeros. Errors: kIo.
  virtual Result<std::unique_ptr<ProgramStates>> NewStates() = 0;
  // Makes ready for these extents of the inputs, so that predictions can fail only where the device
  // does. Returns the outputs' types. Errors: kCorrupt, kUnsupported.
  virtual Result<std::map<std::string, mil::TensorType>> Prepare(
      const std::map<std::string, mil::Dims>& inputs) = 0;
  // The outputs that were asked for, of the types of those. Errors: kIo.
  virtual Result<Arrays> Run(const Prediction& prediction) noexcept = 0;
  // The same, without waiting where a device can: `done` is called once, on any thread.
  virtual void Start(const Prediction& prediction, const Done& done) noexcept {
    done(Run(prediction));
  }
  // What LoadedShard::FirstNotFinite() says, of this program; a device does not tell.
  virtual std::optional<std::string> FirstNotFinite() const { return std::nullopt; }
  // Where each compute op runs, or is predicted to.
  virtual Residency Placement() = 0;
};

// Makes runners.
class RunnerSource {
 public:
  virtual ~RunnerSource() = default;
  // What computes, for people: "interpreted", "Core ML".
  virtual std::string_view Name() const = 0;
  // False: programs are interpreted, and what is said of their placement is predicted.
  virtual bool IsDevice() const = 0;
  // `program` must outlive the runner; its own runner is not set yet. Errors: those of loading.
  virtual Result<std::unique_ptr<Runner>> Open(const LoadedProgram& program) = 0;
};

}  // namespace headway::coreml

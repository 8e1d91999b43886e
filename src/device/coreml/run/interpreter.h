#pragma once

// Runs a MIL function on the CPU: the reference for what a Core ML package computes where there is
// no Core ML. Every op of device/coreml/ir/op_table.h; fp16 results are rounded to fp16 after each
// op (products accumulate in binary32 and round once), or not at all with kF32. Not a model of the
// Neural Engine's own arithmetic, which is not published.

#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/thread_pool.h"
#include "device/coreml/ir/blobs.h"
#include "device/coreml/ir/model.h"
#include "device/coreml/run/tensor.h"

namespace headway::mil {

enum class Precision : uint8_t {
  kF16PerOp,  // as a device that keeps every value in fp16
  kF32,       // no rounding of computed values: shows what fp16 costs
};

struct InterpreterOptions {
  Precision precision = Precision::kF16PerOp;
  // Decoded weights kept in memory; the rest is decoded at each use.
  int64_t keep_weight_bytes = int64_t{1} << 30;
  ThreadPool* pool = nullptr;  // must outlive the interpreter; null: one thread
};

using TensorMap = std::map<std::string, Tensor>;

class Interpreter {
 public:
  // `function` and `blobs` must outlive the interpreter. Errors: a function that does not verify;
  // kUnsupported.
  static Result<Interpreter> Create(const Function& function, const BlobSource* blobs,
                                    const InterpreterOptions& options);
  Interpreter(Interpreter&&) noexcept;
  Interpreter& operator=(Interpreter&&) noexcept;
  ~Interpreter();

  // Makes the plan for these extents of the inputs (by name, states left out) before it is needed,
  // and checks that it depends on nothing that is known only while running: Run() with such inputs
  // cannot fail then. Returns the types of the outputs. Errors (kInvalidInput, kUnsupported):
  // inputs that do not fit the function; an op that cannot be planned.
  Result<std::map<std::string, TensorType>> Prepare(const std::map<std::string, Dims>& input_dims);

  // States of the function, filled with zeros: one set per conversation.
  TensorMap NewStates() const;

  // Runs once. `states` is updated. Flexible axes take the lengths of the inputs; the plan for each
  // combination of lengths is made at its first use. Errors (kInvalidInput): inputs or states that
  // are missing or of another type.
  Result<TensorMap> Run(const TensorMap& inputs, TensorMap* states);

  // The first op that gave an infinity or a NaN since the interpreter was made: "op 'mul' (name
  // 'far')"; empty: none did. Also of values that no output shows: a clip hides them.
  const std::string& FirstNotFinite() const;

 private:
  struct State;
  explicit Interpreter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace headway::mil

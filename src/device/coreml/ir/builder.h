#pragma once

// Writes a function op by op. Parameters are given in place and become const ops named after the op
// that uses them (`y_axes_0`), which is the form Apple's own converter writes; output types come
// from the op table's rules.
//
//   FunctionBuilder f("CoreML8");
//   const std::string x = f.Input("x", DType::kF16, {1, 256, 1, 1});
//   const std::string y = f.Op("mul", "y", {{"x", x}, {"y", HalfConstant(2.0F)}});
//   f.Output(y);
//   HW_TRY(Function function, f.Finish());
//
// The first mistake is kept and returned by Finish(), so that building code reads straight down.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "device/coreml/ir/model.h"
#include "device/coreml/ir/verify.h"

namespace headway::mil {

class FunctionBuilder {
 public:
  using Params = std::vector<std::pair<std::string, Argument>>;

  explicit FunctionBuilder(std::string opset);

  std::string Input(const std::string& name, DType dtype, Dims dims);
  std::string State(const std::string& name, DType dtype, Dims dims);
  // Appends one op. `name` names the op and its first output (a number is added when it is taken);
  // returns the output's name, "" for ops without outputs.
  std::string Op(std::string_view type, std::string_view name, Params params);
  // As Op, for ops with several outputs: all their names.
  std::vector<std::string> OpMulti(std::string_view type, std::string_view name, Params params);
  // A const op of its own, for a value that several ops use.
  std::string Const(std::string_view name, Constant value);
  // A constexpr op: its constants stay in place, as its signature wants.
  std::string Constexpr(std::string_view type, std::string_view name, Params params);
  void Output(const std::string& name);

  // The type of a value built so far; aborts on an unknown name.
  const TensorType& TypeOf(const std::string& name) const;

  // The function, or the first error. The builder is spent afterwards.
  Result<Function> Finish();

 private:
  std::string Unique(std::string_view wanted);
  std::vector<std::string> Append(Operation op, std::string_view name);
  std::string Declare(const std::string& name, Type type);

  Function function_;
  Block* body_;
  FunctionScope scope_;
  std::vector<std::unique_ptr<Constant>> constants_;  // what the scope's constants point to
  std::map<std::string, int> used_names_;
  Result<void> status_;
};

// The description of a function with fixed shapes: every input, state and output as it is declared.
// Flexible axes get `flexible` as their range and the lower bound as default.
FunctionDescription Describe(const std::string& name, const Function& function,
                             const FunctionScope& scope, DimRange flexible = {});

// A model with one function "main" and its description.
Result<Model> MakeModel(Function function, DimRange flexible = {});

}  // namespace headway::mil

#pragma once

// The ops Headway knows, one row each: parameters, the opset that introduced the op, and the rule
// that gives the types of its outputs. The verifier, the interpreter and the placement rules all go
// by this table; an op that is not in it is rejected by name. Source: coremltools op definitions,
// opset CoreML8 (iOS 18); signatures are listed in docs/formats/coreml_package.md.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "device/coreml/ir/program.h"

namespace headway::mil {

class OpView;

enum class Presence : uint8_t { kRequired, kOptional };
enum class Binder : uint8_t {
  kAny,       // constant or computed
  kConstant,  // must be known when the model is compiled
  kVariadic,  // several bindings, constant or computed
  kState,     // the name of a state
};

struct ParamSpec {
  std::string_view name;
  DTypeSet types;
  Presence presence = Presence::kRequired;
  Binder binder = Binder::kAny;
};

// The types of the outputs, from the types and constants of the inputs. Errors (kInvalidInput) say
// what was expected.
using InferRule = Result<std::vector<Type>> (*)(const OpView& op);

// Where an op keeps its parameters: the constexpr ops of iOS 16 have them as attributes.
enum class ParamForm : uint8_t { kInputs, kAttributes };

struct OpSpec {
  std::string_view name;
  std::span<const ParamSpec> params;
  InferRule infer;
  int min_specification = 6;  // CoreML5
  ParamForm form = ParamForm::kInputs;
};

// All rows, in the order of the table in the documentation.
std::span<const OpSpec> OpTable();

// The row for `op`; null when the op is not known. Two rows may share a name
// (constexpr_lut_to_dense) and differ in form.
const OpSpec* FindOpSpec(const Operation& op);

// Resolves names to what they stand for inside one function.
class ValueScope {
 public:
  virtual ~ValueScope() = default;
  // The type of value `name`; null when it is not defined (yet).
  virtual const Type* TypeOf(const std::string& name) const = 0;
  // The constant behind `name` when a const op defines it; null otherwise.
  virtual const Constant* ConstantOf(const std::string& name) const = 0;
};

// One operation with its parameters looked up: what infer rules, kernels and placement conditions
// read. All references live as long as the operation and the scope.
class OpView {
 public:
  OpView(const Operation& op, const ValueScope& scope, const BlobSource* blobs)
      : op_(op), scope_(scope), blobs_(blobs) {}

  const Operation& Op() const { return op_; }
  // How many bindings `param` has; 0 when it is absent.
  size_t Count(std::string_view param) const;
  bool Has(std::string_view param) const { return Count(param) > 0; }
  // nullopt when absent or undefined.
  std::optional<Type> TypeOf(std::string_view param, size_t index = 0) const;
  // Null when absent or computed.
  const Constant* ConstantOf(std::string_view param, size_t index = 0) const;

  // The values of a constant parameter; nullopt when it is absent, computed or unreadable.
  std::optional<std::vector<int64_t>> Ints(std::string_view param) const;
  int64_t IntOr(std::string_view param, int64_t fallback) const;
  bool BoolOr(std::string_view param, bool fallback) const;
  double NumberOr(std::string_view param, double fallback) const;
  std::string_view StringOr(std::string_view param, std::string_view fallback) const;

  // TypeOf(param)->tensor for a parameter that the verifier has found present.
  TensorType Tensor(std::string_view param, size_t index = 0) const;

 private:
  const Binding* Find(std::string_view param, size_t index) const;

  const Operation& op_;
  const ValueScope& scope_;
  const BlobSource* blobs_;
};

// `axis` as an index into `rank` axes, negative ones counted from the end. Errors: out of range.
Result<size_t> ResolveAxis(int64_t axis, size_t rank);

}  // namespace headway::mil

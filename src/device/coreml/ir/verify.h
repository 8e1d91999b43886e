#pragma once

// Checks a program against the op table, and a model's description against its program. Everything
// that reads a program from outside verifies it first; the interpreter and the placement rules rely
// on it.
//
// Errors (kInvalidInput, kCorrupt, kUnsupported) name the function, the operation by number, type
// and name, the parameter, and what was expected and found.

#include <map>
#include <string>

#include "device/coreml/ir/blobs.h"
#include "device/coreml/ir/model.h"
#include "device/coreml/ir/op_table.h"

namespace headway::mil {

// The values of one verified function with their types: extents as inferred where the rules know
// them, else as declared. Valid while the function lives.
class FunctionScope final : public ValueScope {
 public:
  struct Entry {
    Type type;
    const Constant* constant = nullptr;  // of a const op
    bool is_constant = false;            // const or constexpr
    int op_index = -1;                   // -1: an input
  };

  const Type* TypeOf(const std::string& name) const override;
  const Constant* ConstantOf(const std::string& name) const override;
  const Entry* Find(const std::string& name) const;
  // False when the name is taken.
  bool Define(const std::string& name, Entry entry);

 private:
  std::map<std::string, Entry> entries_;
};

// [A-Za-z_][A-Za-z0-9_@]*
bool IsIdentifier(std::string_view name);

// Verifies one function: names defined once and before use, ops in the table and allowed by the
// opset, parameters present, constant where they must be, of the right element type, declared
// output types compatible with inferred ones, blobs readable (when `blobs` is not null).
// `input_types` replaces declared types of inputs, to give flexible axes a length.
Result<FunctionScope> VerifyFunction(const Function& function, const BlobSource* blobs,
                                     const std::map<std::string, Type>& input_types = {});

// All functions of a program, and its version.
Result<void> VerifyProgram(const Program& program, const BlobSource* blobs);

// The program, and that the description says the same as the functions: names, element types,
// shapes, states, and a specification version that goes with the opset. Apple's reader does not
// compare them.
Result<void> VerifyModel(const Model& model, const BlobSource* blobs);

}  // namespace headway::mil

#pragma once

// What the classes of CoreML/CoreML.h are made of. The stand-in's own.

#include <Block.h>
#import <CoreML/CoreML.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "chance.h"
#include "device/coreml/package/package.h"
#include "device/coreml/run/interpreter.h"

namespace headway::standin {

// The states of one conversation. One prediction at a time, as Apple's documentation demands: others
// abort.
class StandInStates {
 public:
  mil::TensorMap tensors;
  std::atomic<bool> in_use{false};
};

// A compiled package, interpreted.
class StandInModel {
 public:
  mil::Package package;
  std::string function;
  const mil::Function* main = nullptr;  // of that name
  std::unique_ptr<mil::Interpreter> interpreter;
  std::mutex interpreting;  // it has no more than one run at a time
};

// Runs `work` on another thread.
void OnAnotherThread(std::function<void()> work);

NSString* Text(const std::string& text);
NSError* ErrorOf(int code, const std::string& text);
NSArray<NSNumber*>* Numbers(const mil::Dims& numbers);
mil::Dims Numbers(NSArray<NSNumber*>* numbers);
MLMultiArrayDataType DataTypeOf(mil::DType dtype);

// Copies numbers, whatever the array's strides. The shapes are equal.
mil::Tensor ReadArray(MLMultiArray* array, const mil::TensorType& type);
void WriteArray(const mil::Tensor& tensor, MLMultiArray* array);
// An array for `tensor`, autoreleased; with `padded`, rows of the two last axes are 64 bytes apart
// and more.
MLMultiArray* NewArray(const mil::TensorType& type, bool padded);

}  // namespace headway::standin

@interface MLMultiArray (StandIn)
// Whether a prediction has given it.
- (bool)wasGiven;
- (void)setGiven;
@end

@interface MLModelDescription (StandIn)
- (instancetype)initWithModel:(const headway::standin::StandInModel&)model;
@end

@interface MLState (StandIn)
- (instancetype)initWithModel:(const headway::standin::StandInModel&)model;
- (std::shared_ptr<headway::standin::StandInStates>)standInStates;
@end

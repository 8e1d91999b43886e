// What a model says of itself, and its states.

#include "standin.h"

using headway::standin::CurrentBehaviour;
using headway::standin::DataTypeOf;
using headway::standin::Numbers;
using headway::standin::StandInModel;
using headway::standin::StandInStates;
using headway::standin::Text;

@interface MLMultiArrayConstraint (StandIn)
- (instancetype)initWithShape:(NSArray<NSNumber*>*)shape dataType:(MLMultiArrayDataType)dataType;
@end
@interface MLStateConstraint (StandIn)
- (instancetype)initWithShape:(NSArray<NSNumber*>*)shape dataType:(MLMultiArrayDataType)dataType;
@end
@interface MLFeatureDescription (StandIn)
- (instancetype)initWithFeature:(const headway::mil::Feature&)feature type:(MLFeatureType)type;
@end

@implementation MLMultiArrayConstraint
- (instancetype)initWithShape:(NSArray<NSNumber*>*)shape dataType:(MLMultiArrayDataType)dataType {
  self = [super init];
  if (self == nil) return nil;
  shape_ = [shape copy];
  data_type_ = dataType;
  return self;
}
- (void)dealloc {
  [shape_ release];
  [super dealloc];
}
- (NSArray<NSNumber*>*)shape {
  return shape_;
}
- (MLMultiArrayDataType)dataType {
  return data_type_;
}
@end

@implementation MLStateConstraint
- (instancetype)initWithShape:(NSArray<NSNumber*>*)shape dataType:(MLMultiArrayDataType)dataType {
  self = [super init];
  if (self == nil) return nil;
  shape_ = [shape copy];
  data_type_ = dataType;
  return self;
}
- (void)dealloc {
  [shape_ release];
  [super dealloc];
}
- (NSArray<NSNumber*>*)bufferShape {
  return shape_;
}
- (MLMultiArrayDataType)dataType {
  return data_type_;
}
@end

@implementation MLFeatureDescription
- (instancetype)initWithFeature:(const headway::mil::Feature&)feature type:(MLFeatureType)type {
  self = [super init];
  if (self == nil) return nil;
  name_ = [Text(feature.name) retain];
  type_ = type;
  headway::mil::Dims shape = feature.shape;
  if (feature.name == CurrentBehaviour().other_shape) shape.push_back(7);
  const Class kind =
      type == MLFeatureTypeState ? [MLStateConstraint class] : [MLMultiArrayConstraint class];
  constraint_ = [[kind alloc] initWithShape:Numbers(shape) dataType:DataTypeOf(feature.dtype)];
  return self;
}
- (void)dealloc {
  [name_ release];
  [constraint_ release];
  [super dealloc];
}
- (NSString*)name {
  return name_;
}
- (MLFeatureType)type {
  return type_;
}
- (MLMultiArrayConstraint*)multiArrayConstraint {
  return type_ == MLFeatureTypeMultiArray ? constraint_ : nil;
}
- (MLStateConstraint*)stateConstraint {
  return type_ == MLFeatureTypeState ? constraint_ : nil;
}
@end

namespace headway::standin {
namespace {

NSDictionary* Describe(const std::vector<mil::Feature>& features, MLFeatureType type) {
  NSMutableDictionary* const described = [NSMutableDictionary dictionary];
  for (const mil::Feature& feature : features) {
    if (feature.name == CurrentBehaviour().missing_feature) continue;
    [described setObject:[[[MLFeatureDescription alloc] initWithFeature:feature
                                                                   type:type] autorelease]
                  forKey:Text(feature.name)];
  }
  return described;
}

}  // namespace
}  // namespace headway::standin

@implementation MLModelDescription
- (instancetype)initWithModel:(const StandInModel&)model {
  self = [super init];
  if (self == nil) return nil;
  const headway::mil::FunctionDescription& main = *model.package.model.Find(model.function);
  inputs_ = [headway::standin::Describe(main.inputs, MLFeatureTypeMultiArray) copy];
  outputs_ = [headway::standin::Describe(main.outputs, MLFeatureTypeMultiArray) copy];
  states_ = [headway::standin::Describe(main.states, MLFeatureTypeState) copy];
  return self;
}
- (void)dealloc {
  [inputs_ release];
  [outputs_ release];
  [states_ release];
  [super dealloc];
}
- (NSDictionary<NSString*, MLFeatureDescription*>*)inputDescriptionsByName {
  return inputs_;
}
- (NSDictionary<NSString*, MLFeatureDescription*>*)outputDescriptionsByName {
  return outputs_;
}
- (NSDictionary<NSString*, MLFeatureDescription*>*)stateDescriptionsByName {
  return states_;
}
@end

@implementation MLState
- (instancetype)initWithModel:(const StandInModel&)model {
  self = [super init];
  if (self == nil) return nil;
  auto states = std::make_shared<StandInStates>();
  states->tensors = model.interpreter->NewStates();
  states_ = new std::shared_ptr<StandInStates>(std::move(states));
  return self;
}
- (void)dealloc {
  delete states_;
  [super dealloc];
}
- (std::shared_ptr<StandInStates>)standInStates {
  return *states_;
}
// A view whose numbers are written back when the handler has ended.
- (void)getMultiArrayForStateNamed:(NSString*)stateName handler:(void (^)(MLMultiArray*))handler {
  headway::mil::TensorMap& tensors = (*states_)->tensors;
  const auto found = tensors.find([stateName UTF8String]);
  if (found == tensors.end())
    [NSException raise:NSInvalidArgumentException format:@"no state %@", stateName];
  @autoreleasepool {
    MLMultiArray* const array = headway::standin::NewArray(found->second.type, true);
    headway::standin::WriteArray(found->second, array);
    handler(array);
    found->second = headway::standin::ReadArray(array, found->second.type);
  }
}
@end

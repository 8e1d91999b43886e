// Arrays, feature values and descriptions.

#include <cstdlib>
#include <cstring>

#include "standin.h"
#include "tensor/half.h"

NSString* const MLModelErrorDomain = @"com.apple.CoreML";

namespace headway::standin {
namespace {

size_t NumberBytes(MLMultiArrayDataType type) { return static_cast<size_t>(type & 0xffff) / 8; }

// Bytes from the first number to the end of the last.
size_t SpanBytes(const mil::Dims& dims, const mil::Dims& strides, MLMultiArrayDataType type) {
  int64_t last = 0;
  for (size_t i = 0; i < dims.size(); ++i) last += (dims[i] - 1) * strides[i];
  return static_cast<size_t>(last + 1) * NumberBytes(type);
}

// Calls `visit` with the place of each number in an array of `strides`, in row-major order.
template <class Visit>
void ForEach(const mil::Dims& dims, const mil::Dims& strides, const Visit& visit) {
  mil::Dims index(dims.size(), 0);
  for (;;) {
    int64_t at = 0;
    for (size_t i = 0; i < dims.size(); ++i) at += index[i] * strides[i];
    visit(at);
    size_t axis = dims.size();
    while (axis > 0 && ++index[axis - 1] == dims[axis - 1]) index[--axis] = 0;
    if (axis == 0) return;
  }
}

}  // namespace

NSString* Text(const std::string& text) { return [NSString stringWithUTF8String:text.c_str()]; }

NSError* ErrorOf(int code, const std::string& text) {
  NSDictionary* const under = [NSDictionary dictionaryWithObject:@"the stand-in was told to fail"
                                                          forKey:NSLocalizedDescriptionKey];
  NSError* const cause = [NSError errorWithDomain:@"com.apple.appleneuralengine"
                                             code:-14
                                         userInfo:under];
  NSMutableDictionary* const info = [NSMutableDictionary dictionary];
  [info setObject:Text(text) forKey:NSLocalizedDescriptionKey];
  [info setObject:cause forKey:NSUnderlyingErrorKey];
  return [NSError errorWithDomain:MLModelErrorDomain code:code userInfo:info];
}

NSArray<NSNumber*>* Numbers(const mil::Dims& numbers) {
  NSMutableArray* const array = [NSMutableArray array];
  for (const int64_t number : numbers) [array addObject:[NSNumber numberWithLongLong:number]];
  return array;
}

mil::Dims Numbers(NSArray<NSNumber*>* numbers) {
  mil::Dims dims;
  for (NSNumber* number in numbers) dims.push_back([number longLongValue]);
  return dims;
}

MLMultiArrayDataType DataTypeOf(mil::DType dtype) {
  if (dtype == mil::DType::kI32) return MLMultiArrayDataTypeInt32;
  return dtype == mil::DType::kF32 ? MLMultiArrayDataTypeFloat32 : MLMultiArrayDataTypeFloat16;
}

mil::Tensor ReadArray(MLMultiArray* array, const mil::TensorType& type) {
  std::vector<float> values;
  std::vector<float>* const to = &values;
  const mil::Dims strides = Numbers([array strides]);
  const mil::Dims* const its_strides = &strides;
  const mil::Dims* const dims = &type.dims;
  [array getBytesWithHandler:^(const void* bytes, NSInteger /*size*/) {
    const auto* const halves = static_cast<const F16*>(bytes);
    ForEach(*dims, *its_strides, [&](int64_t at) { to->push_back(ToFloat(halves[at])); });
  }];
  return mil::MakeTensor(type.dtype, type.dims, values);
}

void WriteArray(const mil::Tensor& tensor, MLMultiArray* array) {
  const mil::Tensor* const from = &tensor;
  [array getMutableBytesWithHandler:^(void* bytes, NSInteger /*size*/,
                                      NSArray<NSNumber*>* its_strides) {
    size_t next = 0;
    ForEach(from->type.dims, Numbers(its_strides), [&](int64_t at) {
      if (from->IsFloat()) {
        static_cast<F16*>(bytes)[at] = ToF16(from->Floats()[next++]);
      } else {
        static_cast<int32_t*>(bytes)[at] = from->Ints()[next++];
      }
    });
  }];
}

MLMultiArray* NewArray(const mil::TensorType& type, bool padded) {
  const MLMultiArrayDataType data_type = DataTypeOf(type.dtype);
  mil::Dims strides = mil::StridesOf(type.dims);
  if (padded) {
    const auto row = static_cast<int64_t>(64 / NumberBytes(data_type));
    int64_t stride = 1;
    for (size_t i = type.dims.size(); i-- > 0;) {
      strides[i] = stride;
      stride = (stride * type.dims[i] + row - 1) / row * row;
    }
  }
  const size_t bytes = SpanBytes(type.dims, strides, data_type);
  void* const memory = std::malloc(bytes);
  std::memset(memory, 0xff, bytes);  // NaN between the rows
  return [[[MLMultiArray alloc] initWithDataPointer:memory
                                              shape:Numbers(type.dims)
                                           dataType:data_type
                                            strides:Numbers(strides)
                                        deallocator:^(void* its_bytes) {
                                          std::free(its_bytes);
                                        }
                                              error:nullptr] autorelease];
}

}  // namespace headway::standin

using headway::standin::ErrorOf;
using headway::standin::Numbers;

@implementation MLMultiArray
- (instancetype)initWithShape:(NSArray<NSNumber*>*)shape
                     dataType:(MLMultiArrayDataType)dataType
                        error:(NSError**)error {
  const headway::mil::Dims strides = headway::mil::StridesOf(Numbers(shape));
  const size_t bytes = headway::standin::SpanBytes(Numbers(shape), strides, dataType);
  return [self initWithDataPointer:std::calloc(bytes, 1)
                             shape:shape
                          dataType:dataType
                           strides:Numbers(strides)
                       deallocator:^(void* its_bytes) {
                         std::free(its_bytes);
                       }
                             error:error];
}
- (instancetype)initWithDataPointer:(void*)dataPointer
                              shape:(NSArray<NSNumber*>*)shape
                           dataType:(MLMultiArrayDataType)dataType
                            strides:(NSArray<NSNumber*>*)strides
                        deallocator:(void (^)(void*))deallocator
                              error:(NSError**)error {
  self = [super init];
  if (self == nil) return nil;
  bytes_ = dataPointer;
  shape_ = [shape copy];
  strides_ = [strides copy];
  data_type_ = dataType;
  if (deallocator != nil) deallocator_ = Block_copy(deallocator);
  if ([shape count] == [strides count]) return self;
  if (error != nullptr) *error = ErrorOf(MLModelErrorGeneric, "shape and strides differ in length");
  [self release];
  return nil;
}
- (void)dealloc {
  if (deallocator_ != nil) deallocator_(bytes_);
  if (deallocator_ != nil) Block_release(deallocator_);
  [shape_ release];
  [strides_ release];
  [super dealloc];
}
- (MLMultiArrayDataType)dataType {
  return data_type_;
}
- (NSArray<NSNumber*>*)shape {
  return shape_;
}
- (NSArray<NSNumber*>*)strides {
  return strides_;
}
- (NSInteger)count {
  return static_cast<NSInteger>(headway::mil::NumElements(Numbers(shape_)).value_or(0));
}
- (void)getBytesWithHandler:(void (^)(const void*, NSInteger))handler {
  handler(bytes_, static_cast<NSInteger>(
                      headway::standin::SpanBytes(Numbers(shape_), Numbers(strides_), data_type_)));
}
- (void)getMutableBytesWithHandler:(void (^)(void*, NSInteger, NSArray<NSNumber*>*))handler {
  handler(bytes_,
          static_cast<NSInteger>(
              headway::standin::SpanBytes(Numbers(shape_), Numbers(strides_), data_type_)),
          strides_);
}
- (bool)wasGiven {
  return was_given_;
}
- (void)setGiven {
  was_given_ = true;
}
@end

@implementation MLFeatureValue
+ (instancetype)featureValueWithMultiArray:(MLMultiArray*)value {
  MLFeatureValue* const feature = [[[MLFeatureValue alloc] init] autorelease];
  feature->array_ = [value retain];
  return feature;
}
- (void)dealloc {
  [array_ release];
  [super dealloc];
}
- (MLFeatureType)type {
  return MLFeatureTypeMultiArray;
}
- (MLMultiArray*)multiArrayValue {
  return array_;
}
@end

@implementation MLDictionaryFeatureProvider
- (instancetype)initWithDictionary:(NSDictionary<NSString*, id>*)dictionary error:(NSError**)error {
  self = [super init];
  if (self == nil) return nil;
  dictionary_ = [dictionary copy];
  for (NSString* name in dictionary) {
    if ([[dictionary objectForKey:name] isKindOfClass:[MLFeatureValue class]]) continue;
    if (error != nullptr) *error = ErrorOf(MLModelErrorFeatureType, "not a feature value");
    [self release];
    return nil;
  }
  return self;
}
- (void)dealloc {
  [dictionary_ release];
  [super dealloc];
}
- (NSSet<NSString*>*)featureNames {
  return [NSSet setWithArray:[dictionary_ allKeys]];
}
- (MLFeatureValue*)featureValueForName:(NSString*)featureName {
  return [dictionary_ objectForKey:featureName];
}
@end

@implementation MLModelConfiguration
- (instancetype)init {
  self = [super init];
  if (self != nil) units_ = MLComputeUnitsAll;
  return self;
}
- (void)dealloc {
  [function_name_ release];
  [super dealloc];
}
- (MLComputeUnits)computeUnits {
  return units_;
}
- (void)setComputeUnits:(MLComputeUnits)units {
  units_ = units;
}
- (NSString*)functionName {
  return function_name_;
}
- (void)setFunctionName:(NSString*)name {
  NSString* const copied = [name copy];
  [function_name_ release];
  function_name_ = copied;
}
@end

@implementation MLPredictionOptions
- (void)dealloc {
  [backings_ release];
  [super dealloc];
}
- (NSDictionary<NSString*, id>*)outputBackings {
  return backings_ == nil ? [NSDictionary dictionary] : backings_;
}
- (void)setOutputBackings:(NSDictionary<NSString*, id>*)backings {
  NSDictionary* const copied = [backings copy];
  [backings_ release];
  backings_ = copied;
}
@end

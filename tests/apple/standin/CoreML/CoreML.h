#pragma once

// A Core ML for tests on systems without one: the names and signatures that Apple documents for
// macOS 15, as far as src/device/coreml/apple uses them, written by us; the work is done by our
// interpreter (tests/apple/standin/*.mm). What it does wrong, and when, tests choose
// (tests/apple/standin/behaviour.h). Source: developer.apple.com/documentation/coreml.

#import <Foundation/Foundation.h>

#include <memory>

namespace headway::standin {
class StandInModel;
class StandInStates;
class StandInPlan;
}  // namespace headway::standin

#pragma clang assume_nonnull begin

extern NSString* const MLModelErrorDomain;

enum {
  MLModelErrorGeneric = 0,
  MLModelErrorFeatureType = 1,
  MLModelErrorIO = 3,
};

typedef NS_ENUM(NSInteger, MLMultiArrayDataType) {
  MLMultiArrayDataTypeDouble = 0x10000 | 64,
  MLMultiArrayDataTypeFloat32 = 0x10000 | 32,
  MLMultiArrayDataTypeFloat16 = 0x10000 | 16,
  MLMultiArrayDataTypeInt32 = 0x20000 | 32,
};

@interface MLMultiArray : NSObject {
 @private
  void* bytes_;
  NSArray<NSNumber*>* shape_;
  NSArray<NSNumber*>* strides_;
  MLMultiArrayDataType data_type_;
  void (^deallocator_)(void*);
  bool was_given_;
}
- (nullable instancetype)initWithShape:(NSArray<NSNumber*>*)shape
                              dataType:(MLMultiArrayDataType)dataType
                                 error:(NSError* _Nullable* _Nullable)error;
- (nullable instancetype)initWithDataPointer:(void*)dataPointer
                                       shape:(NSArray<NSNumber*>*)shape
                                    dataType:(MLMultiArrayDataType)dataType
                                     strides:(NSArray<NSNumber*>*)strides
                                 deallocator:(void (^_Nullable)(void* bytes))deallocator
                                       error:(NSError* _Nullable* _Nullable)error;
- (MLMultiArrayDataType)dataType;
- (NSArray<NSNumber*>*)shape;
- (NSArray<NSNumber*>*)strides;
- (NSInteger)count;
- (void)getBytesWithHandler:(void (^)(const void* bytes, NSInteger size))handler;
- (void)getMutableBytesWithHandler:(void (^)(void* mutableBytes, NSInteger size,
                                             NSArray<NSNumber*>* strides))handler;
@end

typedef NS_ENUM(NSInteger, MLFeatureType) {
  MLFeatureTypeInvalid = 0,
  MLFeatureTypeMultiArray = 5,
  MLFeatureTypeState = 8,
};

@interface MLFeatureValue : NSObject {
 @private
  MLMultiArray* array_;
}
+ (instancetype)featureValueWithMultiArray:(MLMultiArray*)value;
- (MLFeatureType)type;
- (nullable MLMultiArray*)multiArrayValue;
@end

@protocol MLFeatureProvider
- (NSSet<NSString*>*)featureNames;
- (nullable MLFeatureValue*)featureValueForName:(NSString*)featureName;
@end

@interface MLDictionaryFeatureProvider : NSObject <MLFeatureProvider> {
 @private
  NSDictionary<NSString*, MLFeatureValue*>* dictionary_;
}
- (nullable instancetype)initWithDictionary:(NSDictionary<NSString*, id>*)dictionary
                                      error:(NSError* _Nullable* _Nullable)error;
@end

@interface MLMultiArrayConstraint : NSObject {
 @private
  NSArray<NSNumber*>* shape_;
  MLMultiArrayDataType data_type_;
}
- (NSArray<NSNumber*>*)shape;
- (MLMultiArrayDataType)dataType;
@end

@interface MLStateConstraint : NSObject {
 @private
  NSArray<NSNumber*>* shape_;
  MLMultiArrayDataType data_type_;
}
- (NSArray<NSNumber*>*)bufferShape;
- (MLMultiArrayDataType)dataType;
@end

@interface MLFeatureDescription : NSObject {
 @private
  NSString* name_;
  MLFeatureType type_;
  id constraint_;
}
- (NSString*)name;
- (MLFeatureType)type;
- (nullable MLMultiArrayConstraint*)multiArrayConstraint;
- (nullable MLStateConstraint*)stateConstraint;
@end

@interface MLModelDescription : NSObject {
 @private
  NSDictionary<NSString*, MLFeatureDescription*>* inputs_;
  NSDictionary<NSString*, MLFeatureDescription*>* outputs_;
  NSDictionary<NSString*, MLFeatureDescription*>* states_;
}
- (NSDictionary<NSString*, MLFeatureDescription*>*)inputDescriptionsByName;
- (NSDictionary<NSString*, MLFeatureDescription*>*)outputDescriptionsByName;
- (NSDictionary<NSString*, MLFeatureDescription*>*)stateDescriptionsByName;
@end

typedef NS_ENUM(NSInteger, MLComputeUnits) {
  MLComputeUnitsCPUOnly = 0,
  MLComputeUnitsCPUAndGPU = 1,
  MLComputeUnitsAll = 2,
  MLComputeUnitsCPUAndNeuralEngine = 3,
};

@interface MLModelConfiguration : NSObject {
 @private
  MLComputeUnits units_;
  NSString* function_name_;
}
- (MLComputeUnits)computeUnits;
- (void)setComputeUnits:(MLComputeUnits)units;
- (nullable NSString*)functionName;
- (void)setFunctionName:(nullable NSString*)name;
@end

@interface MLPredictionOptions : NSObject {
 @private
  NSDictionary<NSString*, id>* backings_;
}
- (NSDictionary<NSString*, id>*)outputBackings;
- (void)setOutputBackings:(NSDictionary<NSString*, id>*)backings;
@end

@interface MLState : NSObject {
 @private
  std::shared_ptr<headway::standin::StandInStates>* states_;
}
- (void)getMultiArrayForStateNamed:(NSString*)stateName
                           handler:(void (^)(MLMultiArray* buffer))handler;
@end

@interface MLModel : NSObject {
 @private
  std::shared_ptr<headway::standin::StandInModel>* model_;
  MLModelDescription* description_;
}
+ (void)compileModelAtURL:(NSURL*)modelURL
        completionHandler:
            (void (^)(NSURL* _Nullable compiledModelURL, NSError* _Nullable error))handler;
+ (nullable instancetype)modelWithContentsOfURL:(NSURL*)url
                                  configuration:(MLModelConfiguration*)configuration
                                          error:(NSError* _Nullable* _Nullable)error;
- (MLModelDescription*)modelDescription;
- (MLState*)newState;
- (nullable id<MLFeatureProvider>)predictionFromFeatures:(id<MLFeatureProvider>)input
                                                 options:(MLPredictionOptions*)options
                                                   error:(NSError* _Nullable* _Nullable)error;
- (nullable id<MLFeatureProvider>)predictionFromFeatures:(id<MLFeatureProvider>)inputFeatures
                                              usingState:(MLState*)state
                                                 options:(MLPredictionOptions*)options
                                                   error:(NSError* _Nullable* _Nullable)error;
- (void)predictionFromFeatures:(id<MLFeatureProvider>)input
                       options:(MLPredictionOptions*)options
             completionHandler:(void (^)(id<MLFeatureProvider> _Nullable output,
                                         NSError* _Nullable error))completionHandler;
@end

@protocol MLComputeDeviceProtocol <NSObject>
@end
@interface MLCPUComputeDevice : NSObject <MLComputeDeviceProtocol>
@end
@interface MLGPUComputeDevice : NSObject <MLComputeDeviceProtocol>
@end
@interface MLNeuralEngineComputeDevice : NSObject <MLComputeDeviceProtocol>
@end

@interface MLModelStructureProgramNamedValueType : NSObject {
 @private
  NSString* name_;
}
- (NSString*)name;
@end

@interface MLModelStructureProgramOperation : NSObject {
 @private
  NSString* operator_name_;
  NSArray<MLModelStructureProgramNamedValueType*>* outputs_;
  int index_;
}
- (NSString*)operatorName;
- (NSArray<MLModelStructureProgramNamedValueType*>*)outputs;
@end

@interface MLModelStructureProgramBlock : NSObject {
 @private
  NSArray<MLModelStructureProgramOperation*>* operations_;
}
- (NSArray<MLModelStructureProgramOperation*>*)operations;
@end

@interface MLModelStructureProgramFunction : NSObject {
 @private
  MLModelStructureProgramBlock* block_;
}
- (MLModelStructureProgramBlock*)block;
@end

@interface MLModelStructureProgram : NSObject {
 @private
  NSDictionary<NSString*, MLModelStructureProgramFunction*>* functions_;
}
- (NSDictionary<NSString*, MLModelStructureProgramFunction*>*)functions;
@end

@interface MLModelStructure : NSObject {
 @private
  MLModelStructureProgram* program_;
}
- (nullable MLModelStructureProgram*)program;
@end

@interface MLComputePlanDeviceUsage : NSObject {
 @private
  NSArray<id<MLComputeDeviceProtocol>>* supported_;
  id<MLComputeDeviceProtocol> preferred_;
}
- (NSArray<id<MLComputeDeviceProtocol>>*)supportedComputeDevices;
- (id<MLComputeDeviceProtocol>)preferredComputeDevice;
@end

@interface MLComputePlanCost : NSObject {
 @private
  double weight_;
}
- (double)weight;
@end

@interface MLComputePlan : NSObject {
 @private
  std::shared_ptr<headway::standin::StandInPlan>* plan_;
  MLModelStructure* structure_;
}
+ (void)loadContentsOfURL:(NSURL*)url
            configuration:(MLModelConfiguration*)configuration
        completionHandler:
            (void (^)(MLComputePlan* _Nullable computePlan, NSError* _Nullable error))handler;
- (MLModelStructure*)modelStructure;
- (nullable MLComputePlanDeviceUsage*)computeDeviceUsageForMLProgramOperation:
    (MLModelStructureProgramOperation*)operation;
- (nullable MLComputePlanCost*)estimatedCostOfMLProgramOperation:
    (MLModelStructureProgramOperation*)operation;
@end

#pragma clang assume_nonnull end

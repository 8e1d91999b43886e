// Where ops run: as our rules predict, but for what a test wants elsewhere.

#include <algorithm>

#include "device/coreml/place/predict.h"
#include "standin.h"

namespace headway::standin {

class StandInPlan {
 public:
  struct Place {
    bool is_told = false;
    bool on_engine = false;
  };
  std::vector<Place> places;  // by operation
  double share = 0;           // of the estimated cost
};

namespace {

bool Lists(const std::vector<std::string>& types, const std::string& type) {
  return std::find(types.begin(), types.end(), type) != types.end();
}

Result<std::shared_ptr<StandInPlan>> MakePlan(const mil::Function& main, bool has_engine) {
  HW_TRY(const mil::PlacementReport report, mil::PredictPlacement(main, {}));
  auto plan = std::make_shared<StandInPlan>();
  plan->places.resize(main.Body()->operations.size());
  const Behaviour behaviour = CurrentBehaviour();
  for (const mil::PlacedOp& op : report.ops) {
    plan->places[static_cast<size_t>(op.index)] = {
        .is_told = !Lists(behaviour.without_usage, op.type),
        .on_engine = has_engine && op.device == mil::Device::kNeuralEngine &&
                     !Lists(behaviour.off_engine, op.type)};
  }
  plan->share = report.ops.empty() ? 0 : 1.0 / static_cast<double>(report.ops.size());
  return plan;
}

}  // namespace
}  // namespace headway::standin

using namespace headway::standin;

@implementation MLCPUComputeDevice
@end
@implementation MLGPUComputeDevice
@end
@implementation MLNeuralEngineComputeDevice
@end

@implementation MLModelStructureProgramNamedValueType
- (instancetype)initWithName:(NSString*)name {
  self = [super init];
  if (self != nil) name_ = [name retain];
  return self;
}
- (void)dealloc {
  [name_ release];
  [super dealloc];
}
- (NSString*)name {
  return name_;
}
@end

@implementation MLModelStructureProgramOperation
- (instancetype)initWithOperation:(const headway::mil::Operation&)operation index:(int)index {
  self = [super init];
  if (self == nil) return nil;
  // Constants have no opset in the tools' reports.
  const bool constant = headway::mil::IsConstantOp(operation.type);
  operator_name_ = [Text((constant ? "" : "ios18.") + operation.type) retain];
  index_ = index;
  NSMutableArray* const outputs = [NSMutableArray array];
  for (const headway::mil::NamedType& output : operation.outputs) {
    [outputs addObject:[[[MLModelStructureProgramNamedValueType alloc]
                           initWithName:Text(output.name)] autorelease]];
  }
  outputs_ = [outputs copy];
  return self;
}
- (void)dealloc {
  [operator_name_ release];
  [outputs_ release];
  [super dealloc];
}
- (NSString*)operatorName {
  return operator_name_;
}
- (NSArray<MLModelStructureProgramNamedValueType*>*)outputs {
  return outputs_;
}
- (int)index {
  return index_;
}
@end

@implementation MLModelStructureProgramBlock
- (instancetype)initWithOperations:(NSArray*)operations {
  self = [super init];
  if (self != nil) operations_ = [operations copy];
  return self;
}
- (void)dealloc {
  [operations_ release];
  [super dealloc];
}
- (NSArray<MLModelStructureProgramOperation*>*)operations {
  return operations_;
}
@end

@implementation MLModelStructureProgramFunction
- (instancetype)initWithBlock:(MLModelStructureProgramBlock*)block {
  self = [super init];
  if (self != nil) block_ = [block retain];
  return self;
}
- (void)dealloc {
  [block_ release];
  [super dealloc];
}
- (MLModelStructureProgramBlock*)block {
  return block_;
}
@end

@implementation MLModelStructureProgram
- (instancetype)initWithFunction:(const headway::mil::Function&)main name:(NSString*)name {
  self = [super init];
  if (self == nil) return nil;
  NSMutableArray* const operations = [NSMutableArray array];
  int index = 0;
  for (const headway::mil::Operation& operation : main.Body()->operations) {
    [operations addObject:[[[MLModelStructureProgramOperation alloc] initWithOperation:operation
                                                                                 index:index++]
                              autorelease]];
  }
  MLModelStructureProgramBlock* const block =
      [[[MLModelStructureProgramBlock alloc] initWithOperations:operations] autorelease];
  MLModelStructureProgramFunction* const function =
      [[[MLModelStructureProgramFunction alloc] initWithBlock:block] autorelease];
  functions_ = [[NSDictionary dictionaryWithObject:function forKey:name] retain];
  return self;
}
- (void)dealloc {
  [functions_ release];
  [super dealloc];
}
- (NSDictionary<NSString*, MLModelStructureProgramFunction*>*)functions {
  return functions_;
}
@end

@implementation MLModelStructure
- (instancetype)initWithProgram:(MLModelStructureProgram*)program {
  self = [super init];
  if (self != nil) program_ = [program retain];
  return self;
}
- (void)dealloc {
  [program_ release];
  [super dealloc];
}
- (MLModelStructureProgram*)program {
  return program_;
}
@end

@implementation MLComputePlanDeviceUsage
- (instancetype)initWithEngine:(bool)on_engine {
  self = [super init];
  if (self == nil) return nil;
  id const cpu = [[[MLCPUComputeDevice alloc] init] autorelease];
  id const engine = [[[MLNeuralEngineComputeDevice alloc] init] autorelease];
  preferred_ = [(on_engine ? engine : cpu) retain];
  NSMutableArray* const supported = [NSMutableArray arrayWithObject:cpu];
  if (on_engine) [supported addObject:engine];
  supported_ = [supported copy];
  return self;
}
- (void)dealloc {
  [static_cast<id>(preferred_) release];
  [supported_ release];
  [super dealloc];
}
- (NSArray<id<MLComputeDeviceProtocol>>*)supportedComputeDevices {
  return supported_;
}
- (id<MLComputeDeviceProtocol>)preferredComputeDevice {
  return preferred_;
}
@end

@implementation MLComputePlanCost
- (instancetype)initWithWeight:(double)weight {
  self = [super init];
  if (self != nil) weight_ = weight;
  return self;
}
- (double)weight {
  return weight_;
}
@end

@implementation MLComputePlan
+ (void)loadContentsOfURL:(NSURL*)url
            configuration:(MLModelConfiguration*)configuration
        completionHandler:(void (^)(MLComputePlan*, NSError*))handler {
  const std::string path = [[url path] UTF8String];
  const bool has_engine = [configuration computeUnits] == MLComputeUnitsAll ||
                          [configuration computeUnits] == MLComputeUnitsCPUAndNeuralEngine;
  NSString* const name = [configuration functionName];
  const std::string function = name == nil ? "main" : [name UTF8String];
  void (^const kept)(MLComputePlan*, NSError*) = Block_copy(handler);
  OnAnotherThread([path, has_engine, function, kept] {
    const std::string& refused = CurrentBehaviour().cannot_plan;
    auto package = headway::mil::ReadPackage(path);
    if (!package || (!refused.empty() && path.find(refused) != std::string::npos)) {
      kept(nil, ErrorOf(MLModelErrorGeneric, "no plan for this model"));
    } else {
      const headway::mil::Function& main = package->model.program.functions.at(function);
      const auto made = MakePlan(main, has_engine);
      MLComputePlan* const plan = [[[MLComputePlan alloc] init] autorelease];
      plan->plan_ = new std::shared_ptr<StandInPlan>(*made);
      MLModelStructureProgram* const program =
          [[[MLModelStructureProgram alloc] initWithFunction:main name:Text(function)] autorelease];
      plan->structure_ = [[MLModelStructure alloc] initWithProgram:program];
      kept(plan, nil);
    }
    Block_release(kept);
  });
}
- (void)dealloc {
  delete plan_;
  [structure_ release];
  [super dealloc];
}
- (MLModelStructure*)modelStructure {
  return structure_;
}
- (MLComputePlanDeviceUsage*)computeDeviceUsageForMLProgramOperation:
    (MLModelStructureProgramOperation*)operation {
  const StandInPlan::Place& place = (*plan_)->places[static_cast<size_t>([operation index])];
  if (!place.is_told) return nil;
  return [[[MLComputePlanDeviceUsage alloc] initWithEngine:place.on_engine] autorelease];
}
- (MLComputePlanCost*)estimatedCostOfMLProgramOperation:
    (MLModelStructureProgramOperation*)operation {
  const StandInPlan::Place& place = (*plan_)->places[static_cast<size_t>([operation index])];
  return
      [[[MLComputePlanCost alloc] initWithWeight:place.is_told ? (*plan_)->share : 0] autorelease];
}
@end

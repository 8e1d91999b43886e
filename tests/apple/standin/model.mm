// Models: compiled, loaded, and run.

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <thread>

#include "standin.h"

namespace headway::standin {
namespace {

namespace fs = std::filesystem;

// A few threads that live as long as the program, as a system's queue has them.
class Workers {
 public:
  Workers() {
    for (std::thread& thread : threads_) thread = std::thread([this] { Work(); });
  }
  ~Workers() {
    {
      const std::lock_guard lock(mutex_);
      stops_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  void Add(std::function<void()> work) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(work));
    }
    changed_.notify_one();
  }

 private:
  void Work() {
    GSRegisterCurrentThread();
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stops_ || !queue_.empty(); });
      if (queue_.empty()) break;
      const std::function<void()> work = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      @autoreleasepool {
        work();
      }
    }
    GSUnregisterCurrentThread();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool stops_ = false;
  std::thread threads_[4];
};

bool Names(const std::string& part, const std::string& path) {
  return !part.empty() && path.find(part) != std::string::npos;
}

// Of one prediction: counted from its beginning to its end.
class UnderWay {
 public:
  UnderWay() : fate_(BeginPrediction()) {}
  ~UnderWay() { EndPrediction(); }
  UnderWay(const UnderWay&) = delete;
  UnderWay& operator=(const UnderWay&) = delete;
  const Fate& Its() const { return fate_; }

 private:
  const Fate fate_;
};

// The inputs as tensors. False, with the error: one is missing or of another type.
bool ReadInputs(const mil::Function& main, id<MLFeatureProvider> features, mil::TensorMap* inputs,
                NSError** error) {
  for (const mil::NamedType& input : main.inputs) {
    if (input.type.is_state) continue;
    MLMultiArray* const array = [[features featureValueForName:Text(input.name)] multiArrayValue];
    const mil::Dims dims = array == nil ? mil::Dims{} : Numbers([array shape]);
    if (array == nil || [array dataType] != DataTypeOf(input.type.tensor.dtype) ||
        !mil::Compatible(dims, input.type.tensor.dims)) {
      if (error != nullptr)
        *error =
            ErrorOf(MLModelErrorFeatureType,
                    fmt::format("MultiArray for {} does not match its description", input.name));
      return false;
    }
    if ([array wasGiven]) Count(&Account::given_as_input);
    (*inputs)[input.name] = ReadArray(array, {input.type.tensor.dtype, dims});
  }
  return true;
}

// In the backing, where there is a fitting one and fate allows; else in an array of its own.
MLMultiArray* Deliver(const std::string& name, const mil::Tensor& tensor,
                      NSDictionary<NSString*, id>* backings, const Fate& fate) {
  MLMultiArray* array = [backings objectForKey:Text(name)];
  const bool fits = array != nil && Numbers([array shape]) == tensor.type.dims &&
                    [array dataType] == DataTypeOf(tensor.type.dtype);
  if (fits && !fate.ignores_backings) {
    Count(&Account::backings_used);
  } else {
    Count(&Account::backings_ignored);
    array = NewArray(tensor.type, fate.pads);
  }
  WriteArray(tensor, array);
  [array setGiven];
  return array;
}

// An array that says to have numbers where its memory has ended.
MLMultiArray* WithBadStrides(MLMultiArray* array) {
  mil::Dims strides = Numbers([array strides]);
  for (int64_t& stride : strides) stride = 0;
  MLMultiArray* const kept = [array retain];
  __block void* memory = nullptr;
  [array getMutableBytesWithHandler:^(void* bytes, NSInteger, NSArray<NSNumber*>*) {
    memory = bytes;
  }];
  return [[[MLMultiArray alloc] initWithDataPointer:memory
                                              shape:[array shape]
                                           dataType:[array dataType]
                                            strides:Numbers(strides)
                                        deallocator:^(void*) {
                                          [kept release];
                                        }
                                              error:nullptr] autorelease];
}

id<MLFeatureProvider> Predict(StandInModel* model, id<MLFeatureProvider> features,
                              StandInStates* states_or_null, MLPredictionOptions* options,
                              NSError** error) {
  const UnderWay under_way;
  const Fate& fate = under_way.Its();
  if (fate.delay_us > 0) std::this_thread::sleep_for(std::chrono::microseconds(fate.delay_us));
  if (fate.throws) [NSException raise:NSGenericException format:@"the stand-in was told to raise"];
  if (fate.fails) {
    if (error != nullptr)
      *error = ErrorOf(MLModelErrorGeneric, "Unable to compute the prediction using ML Program");
    return nil;
  }
  mil::TensorMap inputs;
  if (!ReadInputs(*model->main, features, &inputs, error)) return nil;
  mil::TensorMap none;
  const Result<mil::TensorMap> results = [&] {
    const std::lock_guard lock(model->interpreting);
    return model->interpreter->Run(inputs,
                                   states_or_null == nullptr ? &none : &states_or_null->tensors);
  }();
  if (!results) {
    if (error != nullptr) *error = ErrorOf(MLModelErrorGeneric, results.error().message);
    return nil;
  }
  const Behaviour behaviour = CurrentBehaviour();
  NSMutableDictionary* const given = [NSMutableDictionary dictionary];
  for (const auto& [name, tensor] : *results) {
    if (name == behaviour.missing_output) continue;
    MLMultiArray* array = Deliver(name, tensor, [options outputBackings], fate);
    if (name == behaviour.bad_strides) array = WithBadStrides(array);
    [given setObject:[MLFeatureValue featureValueWithMultiArray:array] forKey:Text(name)];
  }
  return [[[MLDictionaryFeatureProvider alloc] initWithDictionary:given error:nullptr] autorelease];
}

Workers& TheWorkers() {
  static Workers workers;
  return workers;
}

// A copy of the package, as a compiler would write it: a directory of the caller's from now on.
Result<std::string> CopyPackage(const std::string& path) {
  HW_TRY(const mil::Package package, mil::ReadPackage(path));
  static std::atomic<int> number{0};
  const fs::path target = fs::temp_directory_path() /
                          fmt::format("headway-standin-{}-{}.mlmodelc", ::getpid(), number++);
  std::error_code error;
  fs::copy(path, target, fs::copy_options::recursive, error);
  if (error) return Fail(ErrorCode::kIo, error.message());
  return target.string();
}

}  // namespace

void OnAnotherThread(std::function<void()> work) { TheWorkers().Add(std::move(work)); }

}  // namespace headway::standin

using namespace headway::standin;

@implementation MLModel
+ (void)compileModelAtURL:(NSURL*)modelURL completionHandler:(void (^)(NSURL*, NSError*))handler {
  const std::string path = [[modelURL path] UTF8String];
  void (^const kept)(NSURL*, NSError*) = Block_copy(handler);
  OnAnotherThread([path, kept] {
    Count(&Account::compiled);
    const auto compiled = Names(CurrentBehaviour().cannot_compile, path)
                              ? headway::Fail(headway::ErrorCode::kIo, "Error reading the model")
                              : CopyPackage(path);
    if (compiled) {
      kept([NSURL fileURLWithPath:Text(*compiled)], nil);
    } else {
      kept(nil, ErrorOf(MLModelErrorIO, compiled.error().message));
    }
    Block_release(kept);
  });
}

+ (instancetype)modelWithContentsOfURL:(NSURL*)url
                         configuration:(MLModelConfiguration*)configuration
                                 error:(NSError**)error {
  const std::string path = [[url path] UTF8String];
  Count(&Account::loaded);
  auto model = std::make_shared<StandInModel>();
  std::string problem;
  if (Names(CurrentBehaviour().cannot_load, path)) {
    problem = "Failed to build the model execution plan";
  } else if (auto package = headway::mil::ReadPackage(path); !package) {
    problem = package.error().message;
  } else {
    model->package = *std::move(package);
    NSString* const function = [configuration functionName];
    model->function = function == nil ? "main" : [function UTF8String];
    const auto found = model->package.model.program.functions.find(model->function);
    model->main = found == model->package.model.program.functions.end() ? nullptr : &found->second;
    if (model->main == nullptr) {
      problem = "no such function";
    } else if (auto interpreter =
                   headway::mil::Interpreter::Create(*model->main, &model->package.weights, {});
               !interpreter) {
      problem = interpreter.error().message;
    } else {
      model->interpreter = std::make_unique<headway::mil::Interpreter>(*std::move(interpreter));
    }
  }
  if (!problem.empty()) {
    if (error != nullptr) *error = ErrorOf(MLModelErrorIO, problem);
    return nil;
  }
  MLModel* const made = [[[MLModel alloc] init] autorelease];
  made->model_ = new std::shared_ptr<StandInModel>(std::move(model));
  made->description_ = [[MLModelDescription alloc] initWithModel:**made->model_];
  return made;
}
- (void)dealloc {
  delete model_;
  [description_ release];
  [super dealloc];
}
- (MLModelDescription*)modelDescription {
  return description_;
}
- (MLState*)newState {
  return [[MLState alloc] initWithModel:**model_];
}
- (id<MLFeatureProvider>)predictionFromFeatures:(id<MLFeatureProvider>)input
                                        options:(MLPredictionOptions*)options
                                          error:(NSError**)error {
  return Predict(model_->get(), input, nullptr, options, error);
}
- (id<MLFeatureProvider>)predictionFromFeatures:(id<MLFeatureProvider>)inputFeatures
                                     usingState:(MLState*)state
                                        options:(MLPredictionOptions*)options
                                          error:(NSError**)error {
  const std::shared_ptr<StandInStates> states = [state standInStates];
  if (states->in_use.exchange(true)) {
    std::fprintf(stderr, "stand-in: two predictions at once with one MLState\n");
    std::abort();
  }
  struct Release {
    StandInStates* states;
    ~Release() { states->in_use = false; }
  } const release{states.get()};
  return Predict(model_->get(), inputFeatures, states.get(), options, error);
}
- (void)predictionFromFeatures:(id<MLFeatureProvider>)input
                       options:(MLPredictionOptions*)options
             completionHandler:(void (^)(id<MLFeatureProvider>, NSError*))completionHandler {
  void (^const kept)(id<MLFeatureProvider>, NSError*) = Block_copy(completionHandler);
  const std::shared_ptr<StandInModel> model = *model_;
  id const features = [static_cast<id>(input) retain];
  [options retain];
  OnAnotherThread([model, features, options, kept] {
    NSError* error = nil;
    id<MLFeatureProvider> given = nil;
    @try {
      given = Predict(model.get(), features, nullptr, options, &error);
    } @catch (NSException* exception) {
      error = ErrorOf(MLModelErrorGeneric, [[exception reason] UTF8String]);
    }
    kept(given, error);
    Block_release(kept);
    [features release];
    [options release];
  });
}
@end

// No heap allocation per token: this program counts every one.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>
#include <random>
#include <vector>

#include "sampling/kernels_fixture.h"
#include "sampling/sampler.h"

namespace {
std::atomic<int64_t> num_allocations{0};
}  // namespace

// The sanitizers bring an operator new of their own, which must stay. g++ tells by macros, clang by
// features.
#ifdef __has_feature
#define HEADWAY_HAS_FEATURE(name) __has_feature(name)
#else
#define HEADWAY_HAS_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    HEADWAY_HAS_FEATURE(address_sanitizer) || HEADWAY_HAS_FEATURE(thread_sanitizer)
constexpr bool kCounted = false;
#else
constexpr bool kCounted = true;

// Not inlined: the compiler would see malloc's memory given to delete, or new's to free, and warn.
[[gnu::noinline]] void* operator new(size_t num_bytes) {
  num_allocations.fetch_add(1, std::memory_order_relaxed);
  void* const memory = std::malloc(num_bytes);
  if (memory == nullptr) std::abort();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }
#endif

namespace headway::sampling {
namespace {

TEST(SamplerAllocation, Sample_AfterConstruction_AllocatesNothing) {
  if (!kCounted) GTEST_SKIP() << "sanitizers allocate in their own way";
  constexpr size_t kVocab = 20000;
  std::vector<float> model(kVocab);
  std::mt19937_64 random(7);
  std::normal_distribution<float> normal(0, 3);
  for (float& logit : model) logit = normal(random);
  std::vector<float> logits(kVocab);
  const std::vector<int32_t> history = {1, 2, 3, 1, 2, 3};
  for (const int num_threads : {1, 2}) {
    ThreadPool pool(num_threads);
    for (const float temperature : {0.0F, 1.0F}) {
      for (const int32_t top_k : {0, 500}) {
        SamplingParams params = {.temperature = temperature, .top_k = top_k, .top_p = 0.9F};
        params.repeat_penalty = 1.1F;
        params.logit_bias = {{5, 1.0F}};
        Sampler sampler(params, kVocab, TestKernels(), pool);
        const int64_t before = num_allocations.load();
        for (uint64_t position = 0; position < 20; ++position) {
          std::copy(model.begin(), model.end(), logits.begin());
          sampler.Sample(logits, position, history, true);
        }
        EXPECT_EQ(num_allocations.load(), before);
      }
    }
  }
}

}  // namespace
}  // namespace headway::sampling

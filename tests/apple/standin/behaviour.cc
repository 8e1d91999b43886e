#include "behaviour.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <sstream>

#include "chance.h"

namespace headway::standin {
namespace {

// "seed=3 ignores=0.5 pads=0.5 fails=0.01 slow=0.1", for whole programs.
Behaviour FromEnvironment() {
  Behaviour behaviour;
  const char* const text = std::getenv("HEADWAY_STANDIN");
  std::istringstream words(text == nullptr ? "" : text);
  for (std::string word; words >> word;) {
    const size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
    const double number = std::strtod(value.c_str(), nullptr);
    if (name == "seed") {
      behaviour.seed = static_cast<uint64_t>(number);
    } else if (name == "ignores") {
      behaviour.ignores_backings = number;
    } else if (name == "pads") {
      behaviour.pads = number;
    } else if (name == "fails") {
      behaviour.fails = number;
    } else if (name == "slow") {
      behaviour.is_slow = number;
    } else if (name == "off") {
      behaviour.off_engine.push_back(value);
    } else {
      std::fprintf(stderr, "HEADWAY_STANDIN: no such word: %s\n", word.c_str());
      std::abort();
    }
  }
  return behaviour;
}

std::mutex g_mutex;
Behaviour g_behaviour = FromEnvironment();
Account g_account;
uint64_t g_drawn = 0;
int64_t g_under_way = 0;

// SplitMix64: each draw of a run by itself.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

bool Draw(double share) {
  const uint64_t bits = Mix(g_behaviour.seed * 0x10001U + g_drawn++) >> 11;
  return static_cast<double>(bits) * 0x1p-53 < share;
}

}  // namespace

void Behave(const Behaviour& behaviour) {
  const std::lock_guard lock(g_mutex);
  g_behaviour = behaviour;
  g_account = {};
  g_drawn = 0;
}

Account TakeAccount() {
  const std::lock_guard lock(g_mutex);
  return g_account;
}

Behaviour CurrentBehaviour() {
  const std::lock_guard lock(g_mutex);
  return g_behaviour;
}

void Count(int64_t Account::*what) {
  const std::lock_guard lock(g_mutex);
  ++(g_account.*what);
}

Fate BeginPrediction() {
  const std::lock_guard lock(g_mutex);
  Fate fate;
  fate.ignores_backings = Draw(g_behaviour.ignores_backings);
  fate.pads = Draw(g_behaviour.pads);
  fate.fails = Draw(g_behaviour.fails) || g_account.predictions == g_behaviour.fails_at;
  fate.throws = Draw(g_behaviour.throws);
  if (Draw(g_behaviour.is_slow))
    fate.delay_us = static_cast<int>(Mix(g_behaviour.seed + g_drawn) % 2000);
  ++g_account.predictions;
  if (fate.fails || fate.throws) ++g_account.failed;
  ++g_under_way;
  g_account.most_at_once = std::max(g_account.most_at_once, g_under_way);
  return fate;
}

void EndPrediction() {
  const std::lock_guard lock(g_mutex);
  --g_under_way;
}

}  // namespace headway::standin

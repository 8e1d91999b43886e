// Must not compile: an Engine owns gigabytes and moves only.
#include "headway/engine.h"

int main() {
  auto engine = headway::Engine::Open("model.gguf", {});
  const headway::Engine copy = *engine;
  return copy.Summary().threads;
}
